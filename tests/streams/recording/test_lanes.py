"""The order of frames, and whose trouble a failure is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from streams.recording_steps import sampled

from relayna.errors import StoreRefused, StoreUnreachable
from relayna.ids import StreamId
from relayna.streams.log import Appended, AppendResult, NotAppended
from relayna.streams.recording.held import HeldEvent, hold
from relayna.streams.recording.lanes import Lanes
from relayna.streams.recording.pending_frame import PendingFrame

TAKEN = Appended(StreamId("1-0"))
REFUSED = NotAppended(StoreRefused("append", "ERR it does not say why"))
NO_STREAM = NotAppended(StoreRefused("append", "WRONGTYPE"))
UNHEARD = NotAppended(StoreUnreachable("memory", "the reply was lost"), outcome_unknown=True)
SILENT = NotAppended(StoreUnreachable("memory", "switched off"))


def lanes_of(
    *tasks: str, frame_events: int = 100, frame_bytes: int = 100_000, refusal_limit: int = 3
) -> Lanes:
    lanes = Lanes(frame_events=frame_events, frame_bytes=frame_bytes, refusal_limit=refusal_limit)
    lanes.add(0, held(*tasks))
    return lanes


def held(*tasks: str, kind: str | None = None) -> list[HeldEvent]:
    return [hold(sampled(seq, task=task), kind, None) for seq, task in enumerate(tasks)]


def batch_of(lanes: Lanes, *, max_events: int = 1_000, max_bytes: int = 1_000_000) -> list[PendingFrame]:
    return lanes.next_batch(now_ms=1, max_events=max_events, max_bytes=max_bytes)


def answered(lanes: Lanes, answers: dict[str, AppendResult]) -> tuple[set[str], set[str], bool]:
    batch = batch_of(lanes)
    settlement = lanes.settle(batch, [answers[frame.task_id] for frame in batch])
    stored = {str(frame.task_id) for frame in settlement.stored}
    given_up = {str(frame.task_id) for frame in settlement.given_up}
    return stored, given_up, settlement.failure is not None


def test_events_of_a_task_share_a_frame_until_it_is_offered() -> None:
    lanes = lanes_of("a", "b", "a")
    assert [(frame.task_id, len(frame.events), frame.position) for frame in lanes] == [
        ("a", 2, 0),
        ("b", 1, 1),
    ]
    batch_of(lanes)
    lanes.add(3, held("a"))
    assert [(frame.task_id, len(frame.events), frame.position) for frame in lanes] == [
        ("a", 2, 0),
        ("a", 1, 3),
        ("b", 1, 1),
    ]


def test_frames_are_cut_by_events_and_by_bytes() -> None:
    assert [len(frame.events) for frame in lanes_of(*["a"] * 5, frame_events=2)] == [2, 2, 1]
    size = len(held("a")[0].data)
    assert [len(frame.events) for frame in lanes_of(*["a"] * 5, frame_bytes=2 * size)] == [2, 2, 1]


def test_a_frame_has_one_topology_kind() -> None:
    lanes = lanes_of("a")
    lanes.add(1, [*held("a", kind="x"), *held("a"), *held("a", kind="y")])
    assert [(frame.topology_kind, len(frame.events)) for frame in lanes] == [("x", 3), ("y", 1)]


def test_only_the_first_frame_of_a_task_is_on_its_way() -> None:
    lanes = lanes_of("a", "a", "b", frame_events=1)
    assert [frame.task_id for frame in batch_of(lanes)] == ["a", "b"]
    assert [frame.task_id for frame in batch_of(lanes, max_events=1)] == ["a"]
    assert [frame.task_id for frame in batch_of(lanes, max_bytes=1)] == ["a"]


def test_a_task_with_much_to_say_lets_others_go_first() -> None:
    lanes = lanes_of("a", "a", "b", frame_events=1)
    batch = batch_of(lanes, max_events=1)
    lanes.settle(batch, [TAKEN])
    assert [frame.task_id for frame in lanes] == ["b", "a"]


def test_a_store_that_is_silent_is_offered_everything_again() -> None:
    lanes = lanes_of("a", "b")
    for _ in range(10):
        assert answered(lanes, {"a": SILENT, "b": SILENT}) == (set(), set(), True)
    assert answered(lanes, {"a": TAKEN, "b": TAKEN}) == ({"a", "b"}, set(), False)
    assert not lanes


def test_a_store_that_refuses_everybody_gives_nobody_up() -> None:
    lanes = lanes_of("a", "b")
    for _ in range(10):
        assert answered(lanes, {"a": REFUSED, "b": REFUSED}) == (set(), set(), True)
    assert lanes.any_ready


def test_a_task_that_is_refused_among_others_is_set_aside_then_given_up_with_all_behind_it() -> None:
    lanes = lanes_of("a", frame_events=1)
    for tries in range(3):
        lanes.add(tries + 1, held("a", "b"))
        given_up = {"a"} if tries == 2 else set()
        assert answered(lanes, {"a": REFUSED, "b": TAKEN}) == ({"b"}, given_up, False)
        assert lanes.any_aside is (tries < 2)
        assert not lanes.any_ready
        lanes.bring_back()
    assert not lanes


def test_one_refused_task_alone_is_neither_the_stores_trouble_nor_proven_to_be_its_own() -> None:
    lanes = lanes_of("a")
    for _ in range(10):
        assert answered(lanes, {"a": REFUSED}) == (set(), set(), False)
        lanes.bring_back()
    lanes.add(1, held("b"))
    assert answered(lanes, {"a": REFUSED, "b": REFUSED}) == (set(), set(), True)


def test_a_key_that_is_no_stream_needs_no_other_evidence() -> None:
    lanes = lanes_of("a", "b")
    for given_up in (set(), set(), {"a", "b"}):
        assert answered(lanes, {"a": NO_STREAM, "b": NO_STREAM}) == (set(), given_up, False)
        lanes.bring_back()


def test_a_frame_is_doubtful_until_its_outcome_is_known() -> None:
    lanes = lanes_of("a", "b")
    doubts = []
    for result in (UNHEARD, UNHEARD, SILENT):
        answered(lanes, {"a": result, "b": SILENT})
        doubts.append([frame.is_doubtful for frame in lanes])
    assert doubts == [[True, False], [True, False], [False, False]]


def test_frames_that_were_lost_again_come_before_all_else_of_their_tasks() -> None:
    lanes = lanes_of("a", "b", frame_events=1)
    lost = batch_of(lanes)
    lost[0].is_spooled = True  # while it was under way
    lanes.settle(lost, [TAKEN, TAKEN])
    lanes.add(2, held("a", "c"))
    lanes.put_back(lost)
    assert [(frame.task_id, frame.position, frame.is_repeated) for frame in lanes] == [
        ("a", 0, True),
        ("a", 2, False),
        ("c", 3, False),
        ("b", 1, True),
    ]
    assert lanes.to_spool() == list(lanes)


def test_evidence_may_come_between_two_refusals() -> None:
    lanes = lanes_of("a", refusal_limit=1)
    assert answered(lanes, {"a": REFUSED}) == (set(), set(), False)
    lanes.add(1, held("b"))
    assert answered(lanes, {"b": TAKEN}) == ({"b"}, set(), False)
    lanes.bring_back()
    assert answered(lanes, {"a": REFUSED}) == (set(), {"a"}, False)


def test_a_task_of_a_silent_node_is_set_aside_and_never_given_up() -> None:
    lanes = lanes_of("a", refusal_limit=1)
    for tries in range(10):
        lanes.add(tries + 1, held("b"))
        assert answered(lanes, {"a": SILENT, "b": TAKEN}) == ({"b"}, set(), False)
        lanes.bring_back()


def test_positions_tell_what_is_outstanding_and_what_is_hopeless() -> None:
    lanes = lanes_of("a", "b")
    assert lanes.first_position(default=9) == 0
    answered(lanes, {"a": REFUSED, "b": TAKEN})
    assert lanes.first_position(default=9) == 0
    assert lanes.first_position(default=9, hopeless_refusals=1) == 9
    assert lanes_of().first_position(default=9) == 9


@given(
    tasks=st.lists(st.sampled_from("abc"), max_size=30),
    answers=st.lists(st.sampled_from([TAKEN, REFUSED, SILENT]), min_size=1, max_size=20),
    frame_events=st.integers(1, 3),
)
def test_each_event_is_stored_once_and_in_order_or_given_up(
    tasks: list[str], answers: list[AppendResult], frame_events: int
) -> None:
    lanes = lanes_of(*tasks, frame_events=frame_events)
    stored: list[HeldEvent] = []
    given_up: list[HeldEvent] = []
    for step in range(200):
        batch = batch_of(lanes, max_events=2)
        script = answers if step < 50 else [TAKEN]
        settlement = lanes.settle(
            batch, [script[(step + index) % len(script)] for index in range(len(batch))]
        )
        stored += [event for frame in settlement.stored for event in frame.events]
        given_up += [event for frame in settlement.given_up for event in frame.events]
        lanes.bring_back()
    assert not lanes
    assert sorted(event.seq or 0 for event in stored + given_up) == list(range(len(tasks)))
    for task in "abc":
        seqs = [event.seq for event in stored if event.task_id == task]
        assert seqs == sorted(seqs)  # type: ignore[type-var]


def test_a_task_stays_behind_what_is_ahead_of_it_elsewhere() -> None:
    drained, lanes = lanes_of("a"), lanes_of("a", "b")
    lanes.stay_behind(drained)
    assert [frame.task_id for frame in batch_of(lanes)] == ["b"]
    assert answered(lanes, {"b": TAKEN}) == ({"b"}, set(), False)
    assert not lanes.any_ready
    assert answered(drained, {"a": TAKEN}) == ({"a"}, set(), False)
    assert lanes.any_ready
    assert [frame.task_id for frame in batch_of(lanes)] == ["a"]
