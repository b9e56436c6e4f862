"""An exchange in memory: which queues a message goes to.

Owns the matching rules of the four kinds. Keeps bindings, never messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from relayna.topologies.declarations import Binding, Exchange

__all__ = ["MemoryExchange", "topic_matches"]

_ABSENT: Final = object()


class MemoryExchange:
    """A declared exchange and its bindings."""

    def __init__(self, declared: Exchange) -> None:
        self.declared = declared
        self._bindings: dict[Binding, None] = {}

    def bind(self, binding: Binding) -> None:
        """Send what matches to the binding's queue too; binding the same again changes nothing."""
        self._bindings[binding] = None

    def queues_for(self, routing_key: str, headers: Mapping[str, Any]) -> list[str]:
        """The names of the queues that get a copy: each once, in the order in which they were bound."""
        matches = _MATCHES[self.declared.kind]
        return list(
            dict.fromkeys(
                binding.queue for binding in self._bindings if matches(binding, routing_key, headers)
            )
        )


def topic_matches(pattern: str, routing_key: str) -> bool:
    """Whether a topic pattern matches: `*` is exactly one word, `#` any number of words, also none.

    >>> topic_matches("tasks.*.created", "tasks.billing.created"), topic_matches("tasks.#", "tasks")
    (True, True)
    """
    words = routing_key.split(".") if routing_key else []
    reached = {0}  # how many words the pattern so far can have used up
    for part in pattern.split(".") if pattern else []:
        if part == "#":
            reached = set(range(min(reached), len(words) + 1))
        else:
            reached = {used + 1 for used in reached if used < len(words) and part in ("*", words[used])}
        if not reached:
            return False
    return len(words) in reached


def _direct(binding: Binding, routing_key: str, headers: Mapping[str, Any]) -> bool:
    return binding.routing_key == routing_key


def _topic(binding: Binding, routing_key: str, headers: Mapping[str, Any]) -> bool:
    return topic_matches(binding.routing_key, routing_key)


def _fanout(binding: Binding, routing_key: str, headers: Mapping[str, Any]) -> bool:
    return True


def _headers(binding: Binding, routing_key: str, headers: Mapping[str, Any]) -> bool:
    arguments = dict(binding.arguments)
    quantifier = any if arguments.get("x-match") == "any" else all
    return quantifier(
        headers.get(name, _ABSENT) == wanted
        for name, wanted in arguments.items()
        if not name.startswith("x-")  # RabbitMQ never matches on these
    )


_MATCHES: Final[dict[str, Callable[[Binding, str, Mapping[str, Any]], bool]]] = {
    "direct": _direct,
    "topic": _topic,
    "fanout": _fanout,
    "headers": _headers,
}
