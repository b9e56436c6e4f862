"""The names that are derived from other names, and texts that must fit AMQP's short strings.

Owns the spelling. No other file spells a dead-letter exchange, or a dead-letter or retry queue.
"""

from __future__ import annotations

import hashlib
from typing import Final

__all__ = [
    "LONGEST_DELAY_MS",
    "LONGEST_NAME_BYTES",
    "LONGEST_QUEUE_NAME_BYTES",
    "LONGEST_STATUS_EXCHANGE_BYTES",
    "as_short_string",
    "dead_letter_exchange_name",
    "dead_letter_queue_name",
    "dead_letter_record_queue_name",
    "retry_queue_name",
]

LONGEST_NAME_BYTES: Final = 255
"""AMQP 0-9-1, 4.2.5.3: a short string's length is one octet."""

LONGEST_DELAY_MS: Final = 2**32 - 1
"""RabbitMQ takes no longer message TTL (about 49 days)."""


def dead_letter_queue_name(queue: str) -> str:
    """Where the messages of a queue lie after they were given up.

    >>> dead_letter_queue_name("orders")
    'orders.dead_letters'
    """
    return f"{queue}.dead_letters"


def dead_letter_record_queue_name(queue: str) -> str:
    """Where copies of a queue's dead letters wait to be recorded in their tasks' streams.

    >>> dead_letter_record_queue_name("orders")
    'orders.dead_letters.record'
    """
    return f"{dead_letter_queue_name(queue)}.record"


def dead_letter_exchange_name(status_exchange: str) -> str:
    """Through which a topology's dead letters go when it names no exchange for them.

    >>> dead_letter_exchange_name("statuses")
    'statuses.dead_letters'
    """
    return f"{status_exchange}.dead_letters"


def retry_queue_name(queue: str, delay_ms: int) -> str:
    """Where the messages of a queue wait for their next attempt; the delay is part of the name.

    >>> retry_queue_name("orders", 30_000)
    'orders.retry.30000ms'
    """
    return f"{queue}.retry.{delay_ms}ms"


LONGEST_QUEUE_NAME_BYTES: Final = LONGEST_NAME_BYTES - max(
    len(retry_queue_name("", LONGEST_DELAY_MS)), len(dead_letter_record_queue_name(""))
)
"""A consumed queue's name; the rest is kept for the names derived from it."""


LONGEST_STATUS_EXCHANGE_BYTES: Final = LONGEST_NAME_BYTES - len(dead_letter_exchange_name(""))
"""A status exchange's name; the rest is kept for the name derived from it."""


def as_short_string(text: str) -> str:
    """The text itself, or its SHA-256 in hex when AMQP could not carry it as a routing key or message id.

    >>> as_short_string("order/7")
    'order/7'
    """
    encoded = text.encode(errors="surrogatepass")
    carried = len(encoded) <= LONGEST_NAME_BYTES and encoded.decode(errors="replace") == text
    return text if carried else hashlib.sha256(encoded).hexdigest()
