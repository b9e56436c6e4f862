"""The tool that sends a dead letter again: what it does, and what it refuses."""

from __future__ import annotations

import pytest
from api.test_dead_letter_routes import Served, bench_of, world_of

from relayna.api import RelaynaRuntime
from relayna.mcp.answering import Answered, Refused, answer_call
from relayna.mcp.tools.of_dead_letters import REPLAY_DEAD_LETTER
from relayna.observability.dead_letter_service import DLQService

pytestmark = pytest.mark.anyio


async def test_a_letter_is_sent_again_once_and_the_history_says_why() -> None:
    async with bench_of() as bench, Served():
        world = await world_of(bench)
        runtime = RelaynaRuntime(
            log=bench.log, dead_letters=lambda store: DLQService(store=store, broker=bench.broker)
        )
        asked = {
            "task_id": "order/7",
            "dead_letter_id": world.letter,
            "reason": "mended",
            "expect_replay_count": 0,
        }
        done = await answer_call(REPLAY_DEAD_LETTER, runtime.services, asked)
        assert isinstance(done, Answered), done
        assert (done.body["outcome"], done.body["copy_replay_count"]) == ("replayed", 1)
        again = await answer_call(REPLAY_DEAD_LETTER, runtime.services, asked)
        assert isinstance(again, Refused)
        assert again.code == "replayed_since"
        forced = await answer_call(REPLAY_DEAD_LETTER, runtime.services, {**asked, "force": True})
        assert isinstance(forced, Refused)
        assert "unknown field `force`" in forced.sentence
        nobody = await answer_call(REPLAY_DEAD_LETTER, runtime.services, {**asked, "dead_letter_id": "none"})
        assert isinstance(nobody, Refused)
        assert nobody.code == "dead_letter_not_found"
        acts = await world.audited()
        assert {act[3] for act in acts} == {"mcp"}
        assert acts[0][5] == "mended"
