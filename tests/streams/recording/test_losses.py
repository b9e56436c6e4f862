"""What is remembered of losses, and how it is confessed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from streams.recording_steps import ATTEMPT, NOW, CountedSignals, said, sampled

from relayna.events import Envelope, EventsLost, RecordedEvent, TaskMessageAcked, decode_frame, encode_frame
from relayna.signals import IgnoredCounters
from relayna.streams.log import START
from relayna.streams.recording.held import HeldEvent, hold
from relayna.streams.recording.losses import Losses


def held(seq: int | None, *, task: str = "order") -> HeldEvent:
    return hold(
        sampled(seq, task=task) if seq is not None else said(TaskMessageAcked(), task=task), None, None
    )


def decoded(event: HeldEvent) -> RecordedEvent:
    payload = encode_frame(event.task_id, None, None, [event.data])
    return decode_frame(payload, task_id=event.task_id, stream_id=START).events[0]


def confessed(losses: Losses) -> list[EventsLost]:
    bodies = [decoded(event).body for _, event in losses.confessions(now=NOW, producer="p1")]
    return [body for body in bodies if isinstance(body, EventsLost)]


def test_losses_of_an_attempt_are_one_confession_a_reason() -> None:
    losses = Losses(IgnoredCounters())
    for seq in (0, 1, 3):
        losses.add(held(seq), "buffer_full")
    losses.add(hold(said(TaskMessageAcked(), seq=4), None, None), "buffer_full")
    losses.add(held(5), "refused")
    assert losses
    assert confessed(losses) == [
        EventsLost(seq_ranges=((0, 1), (3, 4)), count=4, reason="buffer_full", outcome="TaskMessageAcked"),
        EventsLost(seq_ranges=((5, 5),), count=1, reason="refused"),
    ]
    assert not losses


def test_confessions_have_ids_of_their_own() -> None:
    losses = Losses(IgnoredCounters())
    losses.add(held(0), "refused")
    [(_, first)] = losses.confessions(now=NOW, producer="p1")
    losses.add(held(1), "refused")
    losses.add(held(None, task="other"), "refused")
    second, third = [event for _, event in losses.confessions(now=NOW, producer="p1")]
    assert decoded(first).envelope == Envelope(
        event_id=f"{ATTEMPT}.lost.0",  # type: ignore[arg-type]
        timestamp=NOW,
        task_id=first.task_id,
        attempt_id=ATTEMPT,
        producer="p1",
    )
    assert decoded(second).envelope.event_id == f"{ATTEMPT}.lost.1"
    assert decoded(third).envelope.event_id == "p1.lost.2"
    assert decoded(third).envelope.attempt_id is None


def test_what_could_not_be_confessed_is_put_back() -> None:
    losses = Losses(IgnoredCounters())
    losses.add(held(0), "refused")
    [(taken, _)] = losses.confessions(now=NOW, producer="p1")
    losses.add(held(1), "refused")
    losses.put_back([taken])
    assert confessed(losses) == [EventsLost(seq_ranges=((0, 1),), count=2, reason="refused")]


def test_memory_is_bounded_in_attempts_and_in_ranges() -> None:
    losses = Losses(IgnoredCounters(), max_losses=2)
    for task in ("a", "b", "c"):
        losses.add(held(0, task=task), "refused")
    assert len(confessed(losses)) == 2
    for seq in range(0, 2_000, 2):
        losses.add(held(seq), "refused")
    [body] = confessed(losses)
    assert (len(body.seq_ranges), body.count) == (256, 1_000)


def test_a_lost_confession_is_counted_and_not_confessed() -> None:
    signals = CountedSignals()
    losses = Losses(signals)
    losses.add(hold(said(EventsLost(count=1)), None, None), "refused")
    assert not losses
    assert losses.take_news()
    assert signals["relayna_records_dropped_total{reason=refused}"] == 1


def test_news_is_told_once() -> None:
    losses = Losses(IgnoredCounters())
    assert not losses.take_news()
    losses.count(int, "unreadable")
    assert losses.take_news()
    assert not losses.take_news()


@given(seqs=st.lists(st.integers(0, 50), max_size=80))
def test_ranges_name_exactly_what_was_lost(seqs: list[int]) -> None:
    losses = Losses(IgnoredCounters())
    for seq in seqs:
        losses.add(held(seq), "refused")
    named = [
        seq for body in confessed(losses) for first, last in body.seq_ranges for seq in range(first, last + 1)
    ]
    assert named == sorted(set(seqs))


def test_what_the_counters_are_told_later_is_no_news_once_more() -> None:
    signals = CountedSignals()
    losses = Losses(signals)
    assert [losses.remember(held(seq), "buffer_full") for seq in range(2)] == [True, False]
    assert losses.take_news()
    losses.report()
    assert signals["relayna_records_dropped_total{reason=buffer_full}"] == 2
    assert not losses.take_news()
    assert losses.remember(held(2), "buffer_full")
    assert losses.take_news()
