"""A version built again is the very graph that it was, or nothing."""

from __future__ import annotations

import random
from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st
from observability.live_steps import tell
from projections.random_histories import random_history

from relayna.observability import ExecutionGraphService
from relayna.observability.graph_question import checked_question
from relayna.observability.live.as_it_was import graph_as_it_was
from relayna.projections.graph import encode_graph
from relayna.projections.graph_view import COLLAPSES, GRAPH_VIEWS
from relayna.streams import MemoryLog

QUESTIONS = st.fixed_dictionaries(
    {
        "depth": st.integers(0, 3),
        "max_nodes": st.sampled_from([None, 4, 5_000]),
        "view": st.sampled_from(GRAPH_VIEWS),
        "collapse": st.sets(st.sampled_from(COLLAPSES)),
    }
)


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), chance=st.randoms(use_true_random=False), asked=QUESTIONS)
def test_it_is_the_very_graph(seed: int, chance: random.Random, asked: dict[str, Any]) -> None:
    question = checked_question("root", **asked)
    events = random_history(seed)
    if chance.random() < 0.5:
        chance.shuffle(events)
    first = next(at for at, event in enumerate(events) if event.envelope.task_id == "root")
    cut = chance.randint(first + 1, len(events))

    async def compare() -> tuple[bytes, bytes | None]:
        log = MemoryLog()
        # Another process builds it again: it knows nothing but the log and the version.
        service, other = ExecutionGraphService(log=log), ExecutionGraphService(log=log)
        await tell(log, events[:cut])
        then = await service.get_versioned("root", **asked)
        before = encode_graph(then.graph)
        await tell(log, events[cut:])
        now = await service.get_versioned("root", **asked)
        built = await graph_as_it_was(other, question, then.version, latest=now.version)
        return before, None if built is None else encode_graph(built)

    before, built = anyio.run(compare)
    assert built == before
