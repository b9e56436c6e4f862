"""A user is judged by a role: what it lacks, and what it could do beside."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from relayna.ids import Tenant
from relayna.observability.checks.roles import ROLES, Role, judge_rights, probes
from relayna.streams.keys import KeyGrammar

ASKED = probes(KeyGrammar("relayna", 4), Tenant("default"))


def rights(allowed: Collection[str], unknown: Collection[str] = ()) -> dict[str, bool | None]:
    return {shown: None if shown in unknown else shown in allowed for shown in ASKED}


def needed(role: Role) -> set[str]:
    """All that the role lacks when it may do nothing."""
    lacking = {
        shown for shown in ASKED if judge_rights({**rights(ASKED), shown: False}, role)[0].state != "ok"
    }
    assert lacking
    return lacking


@pytest.mark.parametrize("role", ROLES)
def test_exactly_its_rights_are_right(role: Role) -> None:
    found = judge_rights(rights(needed(role)), role)
    assert [(check.name, check.state, check.advice) for check in found] == [
        ("acl_missing", "ok", ""),
        ("acl_exceeding", "ok", ""),
    ]


@pytest.mark.parametrize("role", ROLES)
def test_nothing_at_all_is_too_little_and_everything_too_much(role: Role) -> None:
    missing, _ = judge_rights(rights(()), role)
    assert (missing.state, "deploy/acl" in missing.advice) == ("failed", True)
    _, more = judge_rights(rights(ASKED), role)
    assert (more.state, "and" in more.found) == ("warning", True)
    assert "FLUSHALL" not in needed(role)


def test_roles_grow() -> None:
    assert needed("reader") < needed("service") < needed("operator")
    assert needed("worker") < needed("service")
    assert "XRANGE {foreign} - +" not in needed("worker")
    assert "XADD {stream} * f x" not in needed("reader")


def test_without_a_role_it_is_the_largest_that_fits() -> None:
    for role in ROLES:
        assert f" {role} does" in judge_rights(rights(needed(role)))[0].found
    [nothing] = judge_rights(rights(()))
    assert (nothing.name, nothing.state) == ("acl_role", "failed")
    assert "worker: PING" in nothing.found


def test_what_a_server_does_not_know_counts_for_nothing() -> None:
    found = judge_rights(rights(needed("worker"), unknown={"FUNCTION FLUSH", "PING"}), "worker")
    assert [check.state for check in found] == ["ok", "ok"]


def test_every_probe_names_keys_of_the_prefix() -> None:
    assert all("{" not in word or word.startswith("relayna:") for words in ASKED.values() for word in words)
    assert ASKED["GET {shards}"] == ("GET", "relayna:shards")
    assert "other~" in ASKED["XRANGE {foreign} - +"][1]
