"""The register of variants: each struct is found, extended ones too, and strangers are named."""

from __future__ import annotations

import pytest
from topologies.sample_topologies import COMMON, SAMPLES, shared

from relayna.errors import InvalidTopology
from relayna.topologies import TOPOLOGIES, SharedTasksSharedStatusTopology, Topology, topology_kind
from relayna.topologies.registry import variant_of


def test_every_variant_has_a_sample() -> None:
    assert {type(topology) for topology in SAMPLES.values()} == {variant.struct for variant in TOPOLOGIES}


def test_kinds_and_structs_are_registered_once() -> None:
    assert len({variant.kind for variant in TOPOLOGIES}) == len(TOPOLOGIES)
    assert len({variant.struct for variant in TOPOLOGIES}) == len(TOPOLOGIES)


@pytest.mark.parametrize("topology", SAMPLES.values(), ids=SAMPLES.keys())
def test_each_is_found_by_its_own_struct(topology: Topology) -> None:
    assert variant_of(topology).struct is type(topology)


class _Extended(SharedTasksSharedStatusTopology, frozen=True, kw_only=True):
    owner: str = "billing"


def test_an_extended_struct_is_still_of_its_kind() -> None:
    extended = _Extended(**{name: getattr(shared(), name) for name in shared().__struct_fields__})
    assert topology_kind(extended) == "shared_tasks_shared_status"


def test_a_stranger_is_refused() -> None:
    with pytest.raises(InvalidTopology, match="Topology is none of SharedTasksSharedStatusTopology, "):
        variant_of(Topology(**COMMON))
