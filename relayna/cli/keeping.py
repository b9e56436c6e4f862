"""Who keeps dead letters for a service of the command line, with the broker that its settings name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from relayna.cli.amqp import url_given_as
from relayna.consumer.broker import Broker
from relayna.events import redaction_of
from relayna.observability.dead_letter_replayer import DeadLetterKeeper
from relayna.observability.dead_letter_service import DLQService
from relayna.observability.dead_letter_store import DLQStore
from relayna.settings import Settings
from relayna.signals import Counters

__all__ = ["keeper_maker"]


def keeper_maker(settings: Settings, *, counters: Counters) -> Callable[[DLQStore], DeadLetterKeeper]:
    """Makes a keeper for each tenant's store, all with one broker. Connects to nothing. Raises `InvalidSetting`."""
    return partial(_keeper, settings=settings, broker=_broker(settings), counters=counters)


def _broker(settings: Settings) -> Broker | None:
    if settings.amqp_url is None:
        return None
    from relayna.consumer.rabbitmq import RabbitMQBroker

    with url_given_as("amqp_url"):
        return RabbitMQBroker(settings.amqp_url)


def _keeper(
    store: DLQStore, *, settings: Settings, broker: Broker | None, counters: Counters
) -> DeadLetterKeeper:
    redact = redaction_of(settings.redact_keys)
    own = DLQStore(
        store.log, tenant=store.tenant, clock=store.clock, ttl_seconds=store.ttl_seconds, redact=redact
    )
    return DLQService(store=own, broker=broker, counters=counters)
