"""What dead-lettering writes on a message, and when it is a circle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from relayna.consumer.memory.death import is_automatic_cycle, with_death
from relayna.instants import Instant

SECOND = 1_000_000


def death(headers: dict[str, Any], queue_name: str, reason: str, *, at: int = 0) -> dict[str, Any]:
    return with_death(
        headers, queue_name=queue_name, reason=reason, exchange="x", routing_key="k", at=Instant(at * SECOND)
    )


def test_a_first_death_tells_where_why_when_and_how_it_came_there() -> None:
    headers = death({"mine": 1}, "work", "rejected", at=7)
    assert headers == {
        "mine": 1,
        "x-death": [
            {
                "queue": "work",
                "reason": "rejected",
                "count": 1,
                "exchange": "x",
                "routing-keys": ["k"],
                "time": datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC),
            }
        ],
        "x-first-death-queue": "work",
        "x-first-death-reason": "rejected",
        "x-first-death-exchange": "x",
    }


def test_the_same_death_again_is_counted_and_told_first() -> None:
    headers = death({}, "work", "rejected", at=1)
    headers = death(headers, "retry", "expired", at=2)
    assert headers["x-first-death-queue"] == "work"
    headers = death(headers, "work", "rejected", at=3)
    told = [(entry["queue"], entry["count"], entry["time"].second) for entry in headers["x-death"]]
    assert told == [("work", 2, 1), ("retry", 1, 2)]


def test_another_reason_is_another_entry() -> None:
    headers = death(death({}, "work", "rejected"), "work", "expired")
    assert [entry["reason"] for entry in headers["x-death"]] == ["expired", "rejected"]


def test_the_headers_given_are_left_alone() -> None:
    before = death({}, "work", "rejected")
    death(before, "work", "rejected")
    assert before["x-death"][0]["count"] == 1


@pytest.mark.parametrize("forged", ["text", 7, None, {"queue": "work"}, ["text", 7], [{"queue": "work"}]])
def test_a_forged_header_harms_nobody(forged: object) -> None:
    headers = death({"x-death": forged}, "work", "rejected")
    assert headers["x-death"][0]["count"] == 1
    assert not is_automatic_cycle({"x-death": forged}, "elsewhere")


def test_coming_back_by_expiry_alone_is_a_circle() -> None:
    headers = death(death({}, "one", "expired"), "two", "expired")
    assert is_automatic_cycle(headers, "one")
    assert is_automatic_cycle(headers, "two")
    assert not is_automatic_cycle(headers, "three")


def test_a_rejection_on_the_way_breaks_the_circle() -> None:
    headers = death(death({}, "work", "rejected"), "retry", "expired")
    assert not is_automatic_cycle(headers, "work")
    assert is_automatic_cycle(headers, "retry")
