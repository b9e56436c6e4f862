"""How a topic exchange matches keys.

Owns the rule of AMQP 0-9-1, 3.1.3.3: keys are words between dots, `*` stands for one word and `#` for
any number of them, none included.
"""

from __future__ import annotations

from itertools import accumulate
from operator import or_

__all__ = ["topic_matches"]


def topic_matches(binding_key: str, routing_key: str) -> bool:
    """Whether a queue bound with `binding_key` gets what is published with `routing_key`.

    >>> topic_matches("orders.*.done", "orders.7.done"), topic_matches("orders.#", "orders")
    (True, True)
    """
    words = _words(routing_key)
    reached = [True] + [False] * len(words)  # reached[n]: the pattern so far can stand for the first n words
    for part in _words(binding_key):
        if part == "#":
            reached = list(accumulate(reached, or_))
        else:
            reached = [False] + [
                before and part in ("*", word) for before, word in zip(reached, words, strict=False)
            ]
    return reached[-1]


def _words(key: str) -> list[str]:
    return key.split(".") if key else []
