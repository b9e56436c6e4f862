"""Which data set a server holds. Owns the reading of `INFO`.

A server's `run_id` changes with each start, its `master_replid` when it takes over from another or its data
is exchanged for another's.
"""

from __future__ import annotations

import re
from typing import Final

from relayna.streams.redis.client import StoreClient

__all__ = ["identity_of"]

_NAMES: Final = re.compile(rb"^(?:run_id|master_replid):(\w+)", re.MULTILINE)


async def identity_of(client: StoreClient) -> str | None:
    """The name of its server's data set; None when the server does not say."""
    answers = await client.exchange([("INFO", "server"), ("INFO", "replication")])
    found = [
        name.decode() for answer in answers if isinstance(answer, bytes) for name in _NAMES.findall(answer)
    ]
    return "/".join(found) if len(found) == len(answers) else None
