"""The sequence of a session's edges: whoever applies what is told has the edges, wherever they go on from."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.observability.lineage_told import RunEdgeTold, Session
from relayna.observability.live.session_edges import SessionEdges
from relayna.observability.live.session_messages import EdgeWithdrawn, SessionMessage
from relayna.projections.lineage.session_graph import SessionStats


def edge(number: int) -> RunEdgeTold:
    return RunEdgeTold(
        edge_id=f"e{number}", kind="spawn", source_run="R", target_run=f"r{number}", at=f"2026-01-01T00:{number:02}:00Z",
        session_id="S", is_birth=True, variant=None, group_key=None, label=None, cost_attributed=0, tokens_attributed=0,
        metadata=None,
    )  # fmt: skip


def session(numbers: Iterable[int], *missing: str) -> Session:
    stats = SessionStats(run_count=0, edge_count=0, total_cost=0, total_tokens=0, root_run_ids=[])
    edges = [edge(number) for number in sorted(numbers)]
    return Session(session_id="S", stats=stats, runs=[], edges=edges, missing=list(missing))


class Client:
    """Applies what it is told; no edge may be told twice, and none withdrawn that it has not."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.id: str | None = None

    def take(self, messages: Iterable[SessionMessage]) -> None:
        for message in messages:
            if isinstance(message.body, EdgeWithdrawn):
                self.held.remove(message.body.edge_id)
            elif isinstance(message.body, RunEdgeTold):
                assert message.body.edge_id not in self.held
                self.held.add(message.body.edge_id)
            self.id = message.id

    def go_on(self, edges: SessionEdges) -> None:
        found = edges.since(self.id or "")
        assert found is not None
        own, place = found
        self.take(own)
        self.take(edges.messages[place:])


STATES = st.lists(st.sets(st.integers(0, 8)), min_size=1, max_size=6)


@settings(max_examples=200)
@given(states=STATES, cuts=st.lists(st.integers(0, 30), max_size=4))
def test_whoever_goes_on_from_anywhere_has_the_edges(states: list[set[int]], cuts: list[int]) -> None:
    edges = SessionEdges()
    for state in states:
        edges.update(session(state))
    for cut in [0, len(edges.messages), *cuts]:
        client = Client()
        client.take(edges.messages[:cut])
        if client.id is not None:
            client.go_on(edges)
            assert client.held == {f"e{number}" for number in states[-1]}
            assert client.id == edges.messages[-1].id


@settings(max_examples=100)
@given(order=st.permutations(range(7)), known=st.integers(1, 7))
def test_another_process_knows_an_id_that_stands_for_the_first_edges(order: list[int], known: int) -> None:
    first, second = SessionEdges(), SessionEdges()
    client = Client()
    for count in range(1, known + 1):
        first.update(session(range(count)))
    client.take(first.messages)
    for count in range(1, 8):
        second.update(session(order[:count]))
    client.go_on(second)
    assert client.held == {f"e{number}" for number in range(7)}


def test_what_nobody_knows_is_told_from_the_beginning() -> None:
    edges = SessionEdges()
    edges.update(session([1, 2]))
    for unknown in ("2-0000000000000000", "3-0123456789abcdef", "0-1", "", "-", "9" * 99):
        assert edges.since(unknown) is None
    assert edges.since("0-0000000000000000") == ([], 0)


def test_what_has_expired_is_not_taken_back() -> None:
    edges = SessionEdges()
    edges.update(session([1, 2]))
    edges.update(session([2], "expired"))
    assert [message.event for message in edges.messages] == ["edge", "edge"]
    edges.update(session([2]))
    assert [message.event for message in edges.messages] == ["edge", "edge", "withdrawn"]


def test_a_better_birth_takes_the_place_of_one_even_then() -> None:
    edges = SessionEdges()
    edges.update(session([1]))
    better = session([1], "trimmed")
    better.edges[0] = RunEdgeTold(
        **{**{name: getattr(edge(1), name) for name in RunEdgeTold.__struct_fields__}, "edge_id": "b"}
    )
    edges.update(better)
    assert [message.event for message in edges.messages] == ["edge", "withdrawn", "edge"]
