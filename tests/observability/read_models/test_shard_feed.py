"""A shard's feed: its checkpoint is never ahead of a task that waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayna.ids import StreamId, TaskId
from relayna.observability.read_models.shard_feed import ShardFeed
from relayna.streams import TaskAddress
from relayna.streams.log import START, FeedReference


def reference(place: int, task: str) -> FeedReference:
    return FeedReference(StreamId(f"{place}-0"), TaskAddress(TaskId(task)))


def test_what_was_read_waits_until_it_is_folded() -> None:
    feed = ShardFeed(START)
    assert feed.take([reference(1, "a"), reference(2, "b"), reference(3, "a")])
    assert [address.task_id for address in feed.waiting] == ["a", "b"]
    assert (feed.checkpoint, feed.position, feed.oldest_waiting_ms) == (START, "3-0", 1)
    feed.folded([TaskAddress(TaskId("b"))])
    assert feed.checkpoint == START  # "a" came before it
    feed.folded([TaskAddress(TaskId("a"))])
    assert (feed.checkpoint, feed.waiting, feed.oldest_waiting_ms) == ("3-0", [], None)


def test_a_feed_is_read_on_from_where_it_was_read_last() -> None:
    feed = ShardFeed(StreamId("5-0"))
    assert feed.take([reference(5, "a"), reference(6, "b")])
    assert [address.task_id for address in feed.waiting] == ["b"]
    assert feed.take([reference(6, "b")])
    assert feed.take([])
    assert not feed.take([reference(8, "c")])
    assert feed.position == "6-0"


def test_it_is_full_when_very_much_waits() -> None:
    feed = ShardFeed(START)
    feed.take([reference(place, "a") for place in range(1, 10_001)])
    assert feed.is_full
    feed.folded([TaskAddress(TaskId("a"))])
    assert not feed.is_full


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.sampled_from("abcd")), max_size=60),
)
def test_a_successor_finds_all_that_waits(steps: list[tuple[str, bool, str]]) -> None:
    feed = ShardFeed(START)
    every: list[FeedReference] = []
    waiting: set[str] = set()
    for place, (task, folds, folded) in enumerate(steps, 1):
        every.append(reference(place, task))
        assert feed.take([one for one in every if int(one.stream_id[:-2]) >= max(1, place - 1)])
        waiting.add(task)
        if folds:
            feed.folded([TaskAddress(TaskId(folded))])
            waiting.discard(folded)
    successor = ShardFeed(feed.checkpoint)
    reached = int(feed.checkpoint.partition("-")[0])
    assert successor.take([one for one in every if int(one.stream_id[:-2]) >= reached])
    assert {address.task_id for address in feed.waiting} == waiting
    assert {address.task_id for address in successor.waiting} >= waiting
