"""What of a recorded letter can be sent, and what only stands for something that was hidden or cut."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from relayna.events import DeadLetterRecorded
from relayna.projections.replay_content import (
    body_size,
    content_flaw,
    hidden_headers,
    sent_headers,
    target_of,
)


def letter_of(**fields: Any) -> DeadLetterRecorded:
    return DeadLetterRecorded(**{"dead_letter_id": "d", "body": b"{}", "source_queue_name": "work", **fields})


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, None),
        ({"body_sha256": hashlib.sha256(b"{}").hexdigest(), "body_size": 2}, None),
        ({"body": None}, "no_body"),
        ({"body_redacted": True}, "body_redacted"),
        ({"body": None, "body_redacted": True}, "body_redacted"),
        ({"body_size": 3}, "body_cut"),
        ({"body_sha256": "other"}, "body_cut"),
        ({"headers": {"relayna.cut": {"bytes": 70_000}}}, "headers_cut"),
    ],
)
def test_only_whole_content_is_sent(fields: dict[str, Any], code: str | None) -> None:
    flaw = content_flaw(letter_of(**fields))
    assert (None if flaw is None else flaw[0]) == code


def test_a_refusal_says_where_the_message_itself_is() -> None:
    for fields in ({"body_redacted": True}, {"body_redacted": True, "body": None}, {"body_size": 3}):
        flaw = content_flaw(letter_of(queue_name="work.dead_letters", **fields))
        assert flaw is not None
        assert "the message itself is in work.dead_letters" in flaw[1]


def test_headers_that_were_hidden_in_part_are_not_sent() -> None:
    deep: Any = "[redacted]"
    for _ in range(60):
        deep = [deep]
    headers = {
        "whole": "text", "number": 1, "none": None, "token": "[redacted]", "hook": "[redacted: the hook failed]",
        "url": "https://[redacted]@example.org", "table": {"inner": [1, {"key": "[redacted]"}]}, "deep": deep,
        "long": "[cut: 70000 characters]", "fine": {"inner": [1, None]},
    }  # fmt: skip
    letter = letter_of(headers=headers)
    assert list(sent_headers(letter)) == ["whole", "number", "none", "fine"]
    assert hidden_headers(letter) == ["deep", "hook", "long", "table", "token", "url"]


def test_the_size_is_that_of_the_whole_body() -> None:
    assert [body_size(letter_of()), body_size(letter_of(body=None)), body_size(letter_of(body_size=9))] == [
        2,
        0,
        9,
    ]


@pytest.mark.parametrize(
    ("fields", "queue"),
    [
        ({}, "work"),
        ({"source_queue_name": None, "headers": {"x-death": [{"queue": "w"}, {"queue": "older"}]}}, "w"),
        ({"source_queue_name": None, "headers": {"x-death": [{}]}}, None),
        ({"source_queue_name": None, "headers": {"x-death": "?"}}, None),
        ({"source_queue_name": None, "headers": {"x-death": [{"queue": ""}]}}, None),
        ({"source_queue_name": None}, None),
    ],
)
def test_it_goes_to_the_queue_that_it_came_from(fields: dict[str, Any], queue: str | None) -> None:
    target = target_of(letter_of(**fields))
    assert (None if target is None else target.queue_name) == queue
