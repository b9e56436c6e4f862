"""Other names for fields: those that could be mistaken are refused, in words."""

from __future__ import annotations

from typing import Any

import pytest

from relayna.errors import InvalidSetting
from relayna.topologies import ContractAliasConfig


def test_names_are_kept_as_they_were() -> None:
    given = {"task_id": "job_id", "payload": "data"}
    config = ContractAliasConfig(field_aliases=given, http_aliases={"task_id": "job_id"})
    given["meta"] = "extra"
    assert config.field_aliases == {"task_id": "job_id", "payload": "data"}
    assert config.http_aliases == {"task_id": "job_id"}
    assert ContractAliasConfig() == ContractAliasConfig(http_aliases={}, field_aliases={})


@pytest.mark.parametrize(
    "field_aliases",
    [
        {"task_id": "task_id"},
        {"task_id": "payload", "payload": "task_id"},
        {"task_id": "payload", "payload": "data"},
        {"task_id": "ID der Aufgabe"},
    ],
)
def test_names_that_leave_no_doubt(field_aliases: dict[str, str]) -> None:
    assert ContractAliasConfig(field_aliases=field_aliases).field_aliases == field_aliases


@pytest.mark.parametrize(
    ("field_aliases", "problem"),
    [
        ({"taskid": "job"}, "there is no 'taskid'; other names can be given to task_id, payload"),
        ({"task_id": "job", "payload": "job"}, "'task_id' and 'payload' are both called 'job'"),
        ({"task_id": "payload"}, "'task_id' is called 'payload', which is a field of its own"),
        ({"task_id": ""}, "'task_id' is called nothing; leave it out to keep its name"),
        ({"task_id": 7}, "'task_id' is called 7, which is no text"),
        ({"task_id": "\ud800"}, "cannot be written as UTF-8"),
        (["task_id"], "it must map fields to their other names, not be a list"),
    ],
)
def test_names_that_could_be_mistaken(field_aliases: Any, problem: str) -> None:
    with pytest.raises(InvalidSetting, match="'field_aliases'") as refused:
        ContractAliasConfig(field_aliases=field_aliases)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("http_aliases", "problem"),
    [
        ({"payload": "data"}, "there is no 'payload'; other names can be given to task_id"),
        ({"task_id": "job-id"}, "'job-id' is no parameter's name: letters, digits and _ only"),
        ({"task_id": ""}, "is called nothing"),
    ],
)
def test_names_that_no_parameter_can_have(http_aliases: dict[str, str], problem: str) -> None:
    with pytest.raises(InvalidSetting, match="'http_aliases'") as refused:
        ContractAliasConfig(http_aliases=http_aliases)
    assert problem in str(refused.value)
