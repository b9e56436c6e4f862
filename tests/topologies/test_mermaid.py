"""Drawings of topologies: what can connect is there. The real parser is asked in tests/mermaid."""

from __future__ import annotations

import pytest
from topologies.sample_topologies import SAMPLES, shared, shared_sharded, workflow

from relayna.topologies import Topology, topology_mermaid


@pytest.mark.parametrize("topology", SAMPLES.values(), ids=SAMPLES.keys())
def test_no_address_is_drawn(topology: Topology) -> None:
    assert "broker.example" not in topology_mermaid(topology)
    assert "hunter2" not in topology_mermaid(topology)


def test_shared_tasks_in_full() -> None:
    lines = topology_mermaid(shared()).splitlines()
    assert [line.strip() for line in lines if "classDef" not in line] == [
        "flowchart TD",
        'n0(["task publisher"]):::source',
        'n1{{"tasks<br/>direct exchange"}}:::exchange',
        'n2{{"status<br/>topic exchange"}}:::exchange',
        'n3{{"status.dead_letters<br/>direct exchange"}}:::exchange',
        'n4[("tasks.all<br/>quorum queue")]:::queue',
        'n5[("status.hub<br/>quorum queue")]:::queue',
        'n6[("tasks.all.dead_letters<br/>dead letters")]:::dead',
        'n7[("tasks.all.dead_letters.record<br/>dead letters to record")]:::dead',
        'n8[("status.hub.dead_letters<br/>dead letters")]:::dead',
        'n9["task worker"]:::consumer',
        'n10["status hub"]:::consumer',
        'n0 -->|"task"| n1',
        'n3 -->|"tasks.all"| n6',
        'n3 -->|"tasks.all"| n7',
        'n3 -->|"status.hub"| n8',
        'n1 -->|"task"| n4',
        'n2 -->|"#35;"| n5',
        'n4 -.->|"dead-lettered"| n3',
        'n5 -.->|"dead-lettered"| n3',
        "n4 --> n9",
        "n9 --> n2",
        "n5 --> n10",
    ]


def test_stages_and_entries_are_named() -> None:
    drawn = topology_mermaid(workflow())
    for name in ("upload", "ingest", "resize", "upload.new"):
        assert f'"{name}"' in drawn


def test_a_dead_letter_exchange_stands_between() -> None:
    drawn = topology_mermaid(shared(dead_letter_exchange="dead"))
    assert '"dead<br/>direct exchange"' in drawn
    assert 'n3{{"dead' in drawn
    assert '-.->|"dead-lettered"| n3' in drawn


def test_very_many_shards_are_cut_and_it_is_said() -> None:
    assert "cut: " in topology_mermaid(shared_sharded(shard_count=2_000))
