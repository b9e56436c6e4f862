"""What an attempt was given and what its handler returned: hashed, and the input stored where there is a storage.

Owns that both happen only while `RELAYNA_LINEAGE_EMIT` is on, and that the handler never feels their failures: they
are counted. The hashes are `relayna/events/content_hash.py`'s.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import anyio

from relayna.consumer.attempts.ending import Ending
from relayna.consumer.attempts.failures import traceback_of
from relayna.consumer.client import RelaynaClient
from relayna.events import MessageInputRecorded, MessageOutputRecorded
from relayna.events.content_hash import content_hash, json_hash, payload_hash
from relayna.settings import lineage_emits
from relayna.storage.payload_errors import PayloadError

__all__ = ["handler_name", "record_input", "record_output"]

_log: Final = logging.getLogger("relayna.consumer")

_LAYERS: Final = 32
"""Of decorators around a handler, and as many partials."""
_STORING_SECONDS: Final = 5.0
"""A storage that takes longer holds nobody up: the message is handled without its input being kept."""


async def record_input(ending: Ending, handler: object) -> None:
    """Say what is about to be handled. Waits for the storage at most; never raises but for a cancellation."""
    if ending.observer.is_silent or not lineage_emits():
        return
    of, delivery = ending.of, ending.of.delivery
    body = delivery.message.body
    ending.observer.record_lineage(
        MessageInputRecorded(
            message_id=of.message_id,
            input_hash=_input_hash(ending),
            payload_bytes=len(body),
            storage_key=await _stored(ending.client, body),
            exchange=delivery.exchange,
            routing_key=delivery.routing_key,
            queue_name=of.queue_name,
            stage=of.stage,
            batch_id=of.headers.batch_id,
            handler=handler_name(handler),
        )
    )


def record_output(ending: Ending, returned: object) -> None:
    """Say what the handler returned, when that is bytes or JSON. Never raises."""
    if returned is None or not lineage_emits():
        return
    try:
        output_hash = content_hash(returned)
    except Exception as error:  # noqa: BLE001 - the value is the user's own and may do anything when it is read
        _count_unhashed(ending.client, "an output", error)
        return
    if output_hash is not None:
        of = ending.of
        body = MessageOutputRecorded(message_id=of.message_id, output_hash=output_hash, stage=of.stage)
        ending.observer.record_lineage(body)


def handler_name(handler: object) -> str:
    """The handler's own name, as its code has it: of a function, a method, a partial, or an object that is called."""
    try:
        for inner in ("__wrapped__", "func"):  # of decorators, and of functools.partial
            for _ in range(_LAYERS):  # what has every name would have this one for ever
                if not hasattr(handler, inner) or (inner == "func" and hasattr(handler, "__name__")):
                    break
                handler = getattr(handler, inner)
        return str(getattr(handler, "__name__", None) or type(handler).__name__)
    except Exception:  # noqa: BLE001 - it is the user's own and may do anything when it is asked; its type has a name
        return type(handler).__name__


def _input_hash(ending: Ending) -> str | None:
    """Of the payload, whatever its envelope says beside it; of the whole body where envelopes have no payload."""
    envelope: Any = ending.incoming.envelope  # Any: whichever envelope
    body = ending.of.delivery.message.body
    try:
        return payload_hash(envelope.payload, body) if hasattr(envelope, "payload") else json_hash(body)
    except Exception as error:  # noqa: BLE001 - counted: no hash is worth a message
        _count_unhashed(ending.client, "an input", error)
        return None


async def _stored(client: RelaynaClient, body: bytes) -> str | None:
    """Its key; none without a storage, and where the storage does not take it in time."""
    if client.storage is None:
        return None
    try:
        with anyio.fail_after(_STORING_SECONDS):
            return await client.storage.put(body)
    except TimeoutError:
        client.counters.increment("relayna_message_contents_failed_total", reason="too_slow")
        _log.warning("An input was not stored within %g s; it is handled all the same", _STORING_SECONDS)
    except PayloadError as error:
        client.counters.increment("relayna_message_contents_failed_total", reason="unstored")
        _log.warning("An input was not stored; it is handled all the same: %s", error)
    except Exception as error:  # noqa: BLE001 - a storage may be the user's own
        client.counters.increment("relayna_message_contents_failed_total", reason="unstored")
        told = traceback_of(error, client.redact)
        _log.warning("An input was not stored; it is handled all the same: %s", told)
    return None


def _count_unhashed(client: RelaynaClient, what: str, error: Exception) -> None:
    client.counters.increment("relayna_message_contents_failed_total", reason="unhashed")
    _log.warning("%s could not be hashed: %s", what, traceback_of(error, client.redact))
