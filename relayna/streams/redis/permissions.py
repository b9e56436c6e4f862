"""What the user of a store's URL may do there, asked without doing it.

Owns the question. Which rights are needed for what is known to `relayna.observability.checks.roles`.
"""

from __future__ import annotations

from collections.abc import Sequence

from relayna.streams.keys import KeyGrammar
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.requests import Request
from relayna.streams.redis.script import load_script
from relayna.streams.redis.store import Store

__all__ = ["permitted", "permitted_on"]


async def permitted(log: RedisLog, commands: Sequence[Sequence[str]]) -> list[bool | None]:
    """Of each command, whether our user may run it; None where the server does not know it.

    Asks over a connection of its own; the log need not be open. Raises `StoreError` when there is nobody to ask,
    and when our user may not run scripts.
    """
    store = log.address.store(connections=1)
    try:
        await store.open()
        return await permitted_on(store, log.keys, commands)
    finally:
        await store.aclose()


async def permitted_on(
    store: Store, keys: KeyGrammar, commands: Sequence[Sequence[str]]
) -> list[bool | None]:
    """As `permitted`, over connections that are there."""
    script = load_script("permitted.lua").source
    words: list[str | int] = []
    for command in commands:
        words += (len(command), *command)
    (answer,) = await store.exchange([Request((("EVAL", script, 0, *words),), keys.shards())])
    if isinstance(answer, Failed):
        raise answer.error
    told = answer if isinstance(answer, list) else []
    return [{0: False, 1: True}.get(one) if isinstance(one, int) else None for one in told]
