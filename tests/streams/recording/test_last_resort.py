"""The JSON line of an event that no stream will hold."""

from __future__ import annotations

import base64
import json
import logging

import pytest
from events.event_strategies import events, texts
from hypothesis import given
from hypothesis import strategies as st
from streams.recording_steps import sampled

from relayna.events import Event, StatusPublished, decode_frame, encode_frame, from_plain
from relayna.ids import TaskId, Tenant
from relayna.streams.keys import TaskAddress
from relayna.streams.log import START
from relayna.streams.recording.held import hold
from relayna.streams.recording.last_resort import (
    UnreadableLine,
    last_resort_line,
    read_last_resort_line,
    write_last_resort,
)

TENANT = Tenant("default")


def test_a_line_says_what_was_lost_and_why() -> None:
    line = json.loads(last_resort_line(hold(sampled(3), "shared_status_workflow", None), "closed", TENANT))
    assert line["event"].pop("event_type") == "TaskResourceSampled"
    assert line.pop("event")["seq"] == 3
    assert line == {
        "relayna": "event_not_stored",
        "reason": "closed",
        "tenant": "default",
        "task_id": "order",
        "topology_kind": "shared_status_workflow",
    }


def test_a_line_holds_nothing_that_a_terminal_acts_on() -> None:
    odd = "\u202egnp\u2028\x9b31m\U000e0001\u00e9"
    line = last_resort_line(hold(sampled(3), odd, None), odd, TENANT)
    assert line.isprintable()
    assert "\u00e9" in line
    assert (json.loads(line)["reason"], json.loads(line)["topology_kind"]) == (odd, odd)


def test_it_is_an_error_of_its_own_logger(caplog: pytest.LogCaptureFixture) -> None:
    write_last_resort(hold(sampled(3), None, None), "closed", TENANT)
    [record] = caplog.records
    assert (record.name, record.levelno) == ("relayna.recorder", logging.ERROR)
    assert json.loads(record.message)["reason"] == "closed"


@given(event=events)
def test_a_line_holds_an_event_that_can_be_read_back(event: Event) -> None:
    line = json.loads(last_resort_line(hold(event, None, None), "closed", TENANT))
    of = "status" if isinstance(event.body, StatusPublished) else "observation"
    read, warnings = from_plain(line["event"], task_id=TaskId("task"), of=of)  # type: ignore[arg-type]
    assert read is not None
    assert warnings == []
    assert read.envelope.event_id == event.envelope.event_id


def test_an_event_that_cannot_be_read_back_comes_as_bytes() -> None:
    held = hold(sampled(3, timestamp="noon"), None, None)
    line = json.loads(last_resort_line(held, "closed", TENANT))
    assert base64.b64decode(line["data"]) == held.data


@given(event=events, kind=st.none() | st.just("shared_status_workflow"), around=texts)
def test_every_line_reads_back_as_the_same_event(event: Event, kind: str | None, around: str) -> None:
    held = hold(event, kind, None)
    line = f"{around}2026-01-01 ERROR {last_resort_line(held, 'closed', Tenant('acme'))}{around}"
    read = read_last_resort_line(line)
    assert read.address == TaskAddress(TaskId("task"), Tenant("acme"))
    assert read.payload == encode_frame(held.task_id, kind, None, [held.data])


def test_what_was_written_as_bytes_reads_back_too() -> None:
    held = hold(sampled(3, timestamp="noon"), None, None)
    read = read_last_resort_line(last_resort_line(held, "closed", TENANT))
    assert read.payload == encode_frame(held.task_id, None, None, [held.data])


def test_a_line_that_people_have_edited_is_read_by_what_it_says() -> None:
    line = json.loads(last_resort_line(hold(sampled(3), None, None), "closed", TENANT))
    line["event"]["memory_rss_bytes"] = 5
    del line["reason"], line["topology_kind"], line["tenant"]
    text = json.dumps(line, indent=2)
    [event] = decode_frame(
        read_last_resort_line(text).payload, task_id=TaskId("order"), stream_id=START
    ).events
    assert (event.envelope.seq, getattr(event.body, "memory_rss_bytes", None)) == (3, 5)


SOUND = last_resort_line(hold(sampled(3), None, None), "closed", TENANT)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "no JSON that begins with"),
        ("2026-01-01 ERROR A worker said something else", "no JSON that begins with"),
        (SOUND[:-9], "ends early or is damaged"),
        ('{"relayna":"event_stored"}', "'event_stored', not 'event_not_stored'"),
        (SOUND.replace('"task_id":"order"', '"task_id":7', 1), '"task_id" is not text'),
        (SOUND.replace('"default"', '"a~b"'), "'a~b' must be 1 to 64"),
        (SOUND.replace('"tenant":"default"', '"tenant":null'), '"tenant" is not text'),
        (SOUND.replace("TaskResourceSampled", "TaskTeleported"), "unknown_type: .* 'TaskTeleported'"),
        (SOUND.replace('"event":', '"events":'), "bad_record"),
        (SOUND.replace('"event":', '"data":7,"event":'), '"data" is not an event in base64'),
        (SOUND.replace('"event":', '"data":"wQ==","event":'), '"data" is not an event in base64'),
    ],
)
def test_what_is_wrong_with_a_line_is_said(line: str, problem: str) -> None:
    with pytest.raises(UnreadableLine, match=problem):
        read_last_resort_line(line)
