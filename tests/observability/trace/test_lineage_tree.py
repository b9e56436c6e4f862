"""What was made from what, as lines: every run once, also in circles and in long chains."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from observability.trace.sessions import analysed, span

from relayna.observability.trace.lineage_tree import lineage_lines

ids = st.sampled_from("abcdef")


@settings(max_examples=150)
@given(links=st.lists(st.tuples(ids, ids), max_size=14), runs=st.sets(ids))
def test_every_run_is_drawn_once_and_every_link_is_there(
    links: list[tuple[str, str]], runs: set[str]
) -> None:
    summary = analysed([span(run, "task", 0, 1) for run in sorted(runs)], *links)
    lines = list(lineage_lines(summary))
    drawn = [line.data_id for line in lines if not line.mark]
    assert sorted(drawn) == sorted(runs | {one for link in links for one in link})
    assert len(lines) - sum(not line.depth for line in lines) == len(set(links))
    circular = any(line.mark == "cycle" for line in lines)
    assert circular is is_circular(set(links))


def is_circular(links: set[tuple[str, str]]) -> bool:
    """Whether taking away what nothing is made from leaves anything."""
    while links:
        sources = {source for source, _ in links}
        kept = {link for link in links if link[1] in sources}
        if kept == links:
            return True
        links = kept
    return False


def test_a_long_chain_is_one_tree() -> None:
    links = [(str(number), str(number + 1)) for number in range(3_000)]
    lines = list(lineage_lines(analysed([], *links)))
    assert len(lines) == 3_001
    assert lines[-1].depth == 3_000
    assert max(len(line.guides) for line in lines) == 12
