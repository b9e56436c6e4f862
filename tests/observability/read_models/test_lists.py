"""Lists agree with a naive look at all summaries, and cursors neither skip nor repeat."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace
from observability.read_models.indexed_world import (
    World,
    memory_world,
    renamed_history,
    store_events,
    tasks_of,
)

from relayna.clock import FrozenClock
from relayna.errors import InvalidQuery
from relayna.instants import Instant
from relayna.observability.read_models import ExecutionsWanted, FailuresWanted, LettersWanted
from relayna.observability.read_models import lists as lists_module
from relayna.projections.task_summary import TaskSummary
from relayna.testing import history
from relayna.testing.scribe import START

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def world() -> World:
    """Many tasks, indexed; nobody writes to it."""
    made = memory_world()
    for seed in range(40):
        await store_events(made.log, renamed_history(seed))
    await made.indexer().catch_up()
    return made


@pytest.fixture(scope="module")
async def summaries(world: World) -> list[TaskSummary]:
    events = [event for seed in range(40) for event in renamed_history(seed)]
    found = [await world.summary(task_id) for task_id in tasks_of(events)]
    assert None not in found
    return [one for one in found if one is not None]


def fits(summary: TaskSummary, wanted: ExecutionsWanted) -> bool:
    started = summary.started_at or Instant(0)
    return (
        wanted.status in (None, summary.status)
        and wanted.topology in (None, summary.topology_kind)
        and (wanted.queue is None or wanted.queue in summary.queue_names)
        and (wanted.stage is None or wanted.stage in summary.stages)
        and wanted.parent_task_id in (None, summary.parent_task_id)
        and (wanted.since is None or started >= wanted.since)
        and (wanted.until is None or started < wanted.until)
    )


async def all_pages(world: World, wanted: Any, ask: str, listed: str) -> list[Any]:
    """Everything, page by page."""
    found: list[Any] = []
    lists = world.lists()
    while True:
        page = await getattr(lists, ask)(wanted)
        assert len(getattr(page, listed)) <= wanted.limit
        found += getattr(page, listed)
        if page.next is None:
            return found
        wanted = replace(wanted, cursor=page.next)


def some_questions(summaries: list[TaskSummary]) -> list[ExecutionsWanted]:
    chance = random.Random(7)
    starts = sorted(summary.started_at or Instant(0) for summary in summaries)
    questions = []
    for _ in range(60):
        one = chance.choice(summaries)

        def perhaps(value: Any, likely: float = 0.3) -> Any:
            return value if chance.random() < likely else None

        questions.append(
            ExecutionsWanted(
                status=perhaps(one.status),
                topology=perhaps(one.topology_kind, 0.1),
                queue=perhaps(chance.choice([*one.queue_names, "nowhere"])),
                stage=perhaps(chance.choice([*one.stages, "ingest"]), 0.1),
                parent_task_id=perhaps(one.parent_task_id, 0.2),
                since=perhaps(chance.choice(starts)),
                until=perhaps(chance.choice(starts)),
                sort=chance.choice(["started_at", "updated_at"]),
                newest_first=chance.random() < 0.5,
                limit=chance.choice([1, 3, 50]),
            )
        )
    return questions


@pytest.mark.parametrize("examined", [1, 7, 1_000])
async def test_every_page_together_is_what_a_naive_look_finds(
    world: World, summaries: list[TaskSummary], examined: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists_module, "_EXAMINED", examined)
    for wanted in some_questions(summaries):
        expected = sorted(
            (summary for summary in summaries if fits(summary, wanted)),
            key=lambda summary: (getattr(summary, wanted.sort) or 0, summary.task_id),
            reverse=wanted.newest_first,
        )
        found = await all_pages(world, wanted, "executions", "executions")
        assert [one.task_id for one in found] == [one.task_id for one in expected], wanted


async def test_failures_are_listed_newest_first(world: World, summaries: list[TaskSummary]) -> None:
    every = [(failure, one.task_id) for one in summaries for failure in one.failures]
    assert len(every) > 20
    for wanted in (
        FailuresWanted(limit=7),
        FailuresWanted(exception_type="TimeoutError"),
        FailuresWanted(queue="work", exception_type="ValueError", limit=2),
        FailuresWanted(stage="ingest"),
        FailuresWanted(since=Instant(START + 5_000_000), until=Instant(START + 60_000_000), limit=3),
    ):
        expected = [
            (failure.at or 0, task_id, failure.ref)
            for failure, task_id in every
            if wanted.exception_type in (None, failure.exception_type)
            and wanted.queue in (None, failure.queue_name)
            and wanted.stage in (None, failure.stage)
            and (wanted.since is None or (failure.at or 0) >= wanted.since)
            and (wanted.until is None or (failure.at or 0) < wanted.until)
        ]
        found = await all_pages(world, wanted, "failures", "failures")
        told = [(one.failure.at or 0, one.task_id, one.failure.ref) for one in found]
        assert told == sorted(expected, reverse=True)


async def test_dead_letters_are_listed_newest_first(world: World, summaries: list[TaskSummary]) -> None:
    every = [(letter, one.task_id) for one in summaries for letter in one.dead_letters]
    assert {letter.replayed for letter, _ in every} == {True, False}
    for wanted in (
        LettersWanted(limit=4),
        LettersWanted(state="open", limit=3),
        LettersWanted(state="replayed", queue="work"),
        LettersWanted(reason="retries_exhausted"),
    ):
        expected = [
            (letter.at or 0, task_id, letter.ref)
            for letter, task_id in every
            if wanted.state in (None, "replayed" if letter.replayed else "open")
            and wanted.queue in (None, letter.source_queue_name)
            and wanted.reason in (None, letter.reason)
        ]
        found = await all_pages(world, wanted, "dead_letters", "letters")
        told = [(one.letter.at or 0, one.task_id, one.letter.ref) for one in found]
        assert told == sorted(expected, reverse=True)


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("sort", ["started_at", "updated_at"])
async def test_tasks_that_do_not_change_are_neither_skipped_nor_repeated(
    sort: Any, newest_first: bool
) -> None:
    world = memory_world()
    assert isinstance(world.clock, FrozenClock)
    chance = random.Random(1)
    indexer = world.indexer()
    calm = {f"calm-{number}" for number in range(60)}
    for name in sorted(calm):
        task = history(name).after(chance.randint(0, 10_000)).published()
        await store_events(world.log, task.attempt().acked().events)
    busy = [
        history(f"busy-{number}").after(chance.randint(0, 10_000)).published().attempt()
        for number in range(20)
    ]
    for attempt in busy:
        await store_events(world.log, attempt.events)
    await indexer.catch_up()

    found: list[str] = []
    wanted = ExecutionsWanted(sort=sort, newest_first=newest_first, limit=4)
    while True:
        page = await world.lists().executions(wanted)
        found += [summary.task_id for summary in page.executions if summary.task_id in calm]
        for attempt in chance.sample(busy, 5):
            attempt.after(chance.randint(1, 3_000)).status("goes on")
            await store_events(world.log, attempt.events[-1:])
        fresh = history(f"new-{len(found)}-{chance.random()}").after(chance.randint(0, 20_000))
        await store_events(world.log, fresh.published().events)
        await indexer.catch_up()
        if page.next is None:
            break
        wanted = replace(wanted, cursor=page.next)
    assert sorted(found) == sorted(calm)


async def test_a_cursor_is_good_for_its_own_question_only(world: World) -> None:
    lists = world.lists()
    first = await lists.executions(ExecutionsWanted(limit=2, queue="work"))
    assert first.next is not None
    more = await lists.executions(ExecutionsWanted(limit=9, queue="work", cursor=first.next))
    assert not {one.task_id for one in first.executions} & {one.task_id for one in more.executions}
    for other in (
        ExecutionsWanted(cursor=first.next),
        ExecutionsWanted(queue="work", newest_first=False, cursor=first.next),
        ExecutionsWanted(queue="work", sort="updated_at", cursor=first.next),
    ):
        with pytest.raises(InvalidQuery, match="belongs to another question"):
            await lists.executions(other)
    with pytest.raises(InvalidQuery, match="belongs to another question"):
        await lists.failures(FailuresWanted(queue="work", cursor=first.next))


@pytest.mark.parametrize(
    ("wrong", "parameter"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"sort": "colour"}, "sort"),
        ({"queue": "\ud800"}, "queue"),
    ],
)
async def test_wrong_questions_are_refused(world: World, wrong: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        await world.lists().executions(ExecutionsWanted(**wrong))
    assert refused.value.parameter == parameter


async def test_a_wrong_state_of_letters_is_refused(world: World) -> None:
    with pytest.raises(InvalidQuery, match="open, replayed"):
        await world.lists().dead_letters(LettersWanted(state="lost"))


async def test_an_answer_says_of_which_moment_it_is() -> None:
    world = memory_world()
    assert isinstance(world.clock, FrozenClock)
    indexer = world.indexer()
    events = history("T").published().attempt().acked().events
    await store_events(world.log, events[:1])
    before = (await world.lists().executions(ExecutionsWanted())).as_of
    assert (before.as_of, before.shards_unread) == (None, 1)
    await indexer.catch_up()
    current = (await world.lists().executions(ExecutionsWanted())).as_of
    assert (current.as_of, current.lag_ms) == (world.clock.now(), 0)
    behind = world.clock.now()
    await store_events(world.log, events[1:])
    world.clock.advance(3)
    page = await world.lists().executions(ExecutionsWanted())
    assert (page.as_of.as_of, page.as_of.lag_ms) == (behind, 3_000)
    assert [summary.attempts for summary in page.executions] == [0]
