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


def test_what_one_queue_needs() -> None:
    work = Binding(queue="work", exchange="tasks", routing_key="task")
    both = Declarations(
        exchanges=(Exchange(name="tasks"), Exchange(name="statuses")),
        queues=(Queue(name="work"), Queue(name="all")),
        bindings=(work, Binding(queue="all", exchange="statuses")),
    )
    needed = Declarations(exchanges=(Exchange(name="tasks"),), queues=(Queue(name="work"),), bindings=(work,))
    assert both.of_queue("work") == needed
    assert both.of_queue("elsewhere") == Declarations()


def test_what_stays_when_something_goes() -> None:
    work = Binding(queue="work", exchange="tasks", routing_key="task")
    both = Declarations(
        exchanges=(Exchange(name="tasks"), Exchange(name="statuses")),
        queues=(Queue(name="work"), Queue(name="all")),
        bindings=(work, Binding(queue="all", exchange="statuses")),
    )
    gone = Declarations(queues=(Queue(name="all", kind="classic"),), exchanges=(Exchange(name="statuses"),))
    assert both.without(gone) == both.of_queue("work")
    assert both.without(Declarations()) == both
