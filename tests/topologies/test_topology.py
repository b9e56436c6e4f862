"""What all topologies share: checks of the common fields, lists for tuples, and no secret in what is shown."""

from __future__ import annotations

import msgspec
import pytest
from rich.console import Console
from topologies.sample_topologies import COMMON, SAMPLES, shared

from relayna.errors import InvalidTopology
from relayna.topologies import TOPOLOGIES, TOPOLOGY_KINDS, Topology

each_sample = pytest.mark.parametrize("topology", SAMPLES.values(), ids=SAMPLES.keys())


@each_sample
def test_credentials_show_nowhere(topology: Topology) -> None:
    console = Console(width=200, color_system=None)
    with console.capture() as printed:
        console.print(topology)
    for shown in (repr(topology), str(topology), f"{topology}", repr([topology]), printed.get()):
        assert "hunter2" not in shown
        assert "ada" not in shown
        assert "amqp://***@broker.example:5672/orders" in shown


@each_sample
def test_topologies_are_values(topology: Topology) -> None:
    assert msgspec.structs.replace(topology) == topology
    assert hash(msgspec.structs.replace(topology)) == hash(topology)
    with pytest.raises(AttributeError):
        topology.status_queue = "other"  # type: ignore[misc]


def test_every_kind_is_registered_once() -> None:
    assert sorted(variant.kind for variant in TOPOLOGIES) == sorted(TOPOLOGY_KINDS)


def test_lists_become_tuples() -> None:
    topology = shared(terminal_statuses=["archived"])
    assert topology.terminal_statuses == ("archived",)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("rabbitmq_url", "http://broker", "does not begin with amqp:// or amqps://"),
        ("status_exchange", "", "it is empty"),
        ("status_queue", "é" * 128, "256 bytes"),
        ("status_queue", None, "must be text, not NoneType"),
        ("dead_letter_exchange", "", "it is empty"),
        ("prefetch_count", 0, "0 is not between 1 and 65535"),
        ("prefetch_count", 65_536, "65536 is not between"),
        ("prefetch_count", "8", "whole number, not str"),
        ("delivery_limit", 0, "0 is not between"),
        ("delivery_limit", True, "whole number, not bool"),
        ("max_priority", 0, "0 is not between 1 and 255"),
        ("max_priority", 256, "256 is not between 1 and 255"),
        ("terminal_statuses", ["done", "done"], "'done' is there twice"),
        ("terminal_statuses", "done", "list or tuple, not str"),
        ("terminal_statuses", [""], "it is empty"),
    ],
)
def test_what_cannot_work_is_refused(field: str, value: object, problem: str) -> None:
    with pytest.raises(InvalidTopology) as refused:
        shared(**{field: value})
    assert refused.value.field == field
    assert problem in refused.value.problem


def test_a_topology_of_no_variant_needs_only_the_common_fields() -> None:
    assert Topology(**COMMON).prefetch_count == 1
