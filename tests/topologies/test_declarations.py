"""Declarations: they add up, and what two name alike is there once."""

from __future__ import annotations

from relayna.topologies import Binding, Declarations, Exchange, Queue


def test_they_add_up_without_repeats() -> None:
    first = Declarations(
        exchanges=(Exchange(name="a"),),
        queues=(Queue(name="q"),),
        bindings=(Binding(queue="q", exchange="a"),),
    )
    second = Declarations(exchanges=(Exchange(name="a"), Exchange(name="b")), queues=(Queue(name="r"),))
    both = first + second
    assert both.exchanges == (Exchange(name="a"), Exchange(name="b"))
    assert both.queues == (Queue(name="q"), Queue(name="r"))
    assert both.bindings == first.bindings
    assert both + both == both


def test_what_differs_is_kept_for_the_broker_to_refuse() -> None:
    both = Declarations(queues=(Queue(name="q"),)) + Declarations(queues=(Queue(name="q", kind="classic"),))
    assert [queue.kind for queue in both.queues] == ["quorum", "classic"]
