"""The grammar of every key that relayna writes. No other file spells a key.

    PREFIX:{SHARD}:TENANT~TASK:events   one task's stream; expires with its retention
    PREFIX:{SHARD}:feed                 one small reference per append of the shard; trimmed, expires
    PREFIX:{SHARD}:sealing              a copy of a stream, there only while `seal.lua` runs
    PREFIX:{SHARD}:lease                who may write the shard's read models; expires
    PREFIX:{SHARD}:models               how far they were folded, and the names of the three below; expires
    PREFIX:{SHARD}:TENANT:rows          what is kept of each task; expires with the last of them
    PREFIX:{SHARD}:TENANT:index         what tasks are found by; likewise
    PREFIX:{SHARD}:TENANT:counts:DAY    the counts of a day since 1970-01-01; likewise
    PREFIX:{SHARD}:TENANT:runs          which weeks have run records, and what many of them say; expires with the last
    PREFIX:{SHARD}:TENANT:runs:WEEK:N   records of runs that began in a week since 1970-01-01, and of the sessions
                                        that fall to this Nth part of them; expires with the last of them
    PREFIX:shards                       how many shards this prefix is laid out over; permanent

Braces are literal and stand round the shard only, so everything of a shard lives in one Cluster slot
and one script can touch it. TASK is percent-encoded outside `[A-Za-z0-9._-]`; when that is longer
than 160 bytes it is `~` and a SHA-256, which no encoded task id can look like.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct

from relayna.errors import InvalidQuery, InvalidSetting
from relayna.ids import TaskId, Tenant

__all__ = [
    "DEFAULT_PREFIX",
    "DEFAULT_SHARD_COUNT",
    "DEFAULT_TENANT",
    "KeyGrammar",
    "TaskAddress",
    "checked_task_id",
    "checked_tenant",
    "encode_task_id",
]

DEFAULT_PREFIX: Final = "relayna"
DEFAULT_TENANT: Final = Tenant("default")
DEFAULT_SHARD_COUNT: Final = 64

_LONGEST_ENCODED: Final = 160
# quote() never touches `~`, which must stay free for tenants and hashes.
_ENCODED: Final = str.maketrans(
    {chr(code): quote(chr(code), safe="").replace("~", "%7E") for code in range(128)}
)
"""What becomes of each character of ASCII, as nearly every id has no others."""
_EVENTS: Final = re.compile(r"\{\d+\}:(?P<tenant>[^~]+)~(?P<task>.*):events")
_INDEX: Final = re.compile(r"\{\d+\}:(?P<tenant>[^:~]+):index")
_TENANT: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class TaskAddress(Struct, frozen=True, gc=False):
    """Which task, and whose."""

    task_id: TaskId
    tenant: Tenant = DEFAULT_TENANT


class KeyGrammar(Struct, frozen=True):
    """Spells the keys under one prefix, laid out over a fixed number of shards."""

    prefix: str = DEFAULT_PREFIX
    shard_count: int = DEFAULT_SHARD_COUNT

    def __post_init__(self) -> None:
        """Refuse what would break Cluster slots. Raises `InvalidSetting`."""
        if not self.prefix or "{" in self.prefix or "}" in self.prefix:
            raise InvalidSetting(
                "prefix",
                "argument",
                f"{self.prefix!r} is empty or holds a brace; use letters, digits and ':'",
            )
        if not 1 <= self.shard_count <= 16_384:
            raise InvalidSetting("shard_count", "argument", f"{self.shard_count} is not between 1 and 16384")

    def shard_of(self, address: TaskAddress) -> int:
        """The shard in which all of the task's keys live."""
        return _hash(address) % self.shard_count

    def events(self, address: TaskAddress) -> str:
        """The task's stream."""
        return f"{self.prefix}:{{{self.shard_of(address)}}}:{address.tenant}~{encode_task_id(address.task_id)}:events"

    def tenant_in(self, key: str) -> Tenant | None:
        """Whose stream this key is; nothing for a key that is none of a stream."""
        found = _EVENTS.fullmatch(key.removeprefix(f"{self.prefix}:"))
        return None if found is None else Tenant(found["tenant"])

    def address_in(self, key: str) -> TaskAddress | None:
        """Which task's stream this key is; nothing for any other key, and for one that holds only a hash."""
        found = _EVENTS.fullmatch(key.removeprefix(f"{self.prefix}:"))
        if found is None:
            return None
        try:
            task_id = unquote_to_bytes(found["task"]).decode(errors="surrogatepass")
        except UnicodeDecodeError:
            return None
        address = TaskAddress(TaskId(task_id), Tenant(found["tenant"]))
        return address if self.events(address) == key else None

    def feed(self, shard: int) -> str:
        """The feed of a shard: which tasks were appended to, in order."""
        return f"{self.prefix}:{{{shard}}}:feed"

    def sealing(self, shard: int) -> str:
        """Where a stream of the shard is copied to while it is sealed."""
        return f"{self.prefix}:{{{shard}}}:sealing"

    def lease(self, shard: int) -> str:
        """Who may write the shard's read models."""
        return f"{self.prefix}:{{{shard}}}:lease"

    def models(self, shard: int) -> str:
        """What is true of the shard's read models as a whole."""
        return f"{self.prefix}:{{{shard}}}:models"

    def rows(self, shard: int, tenant: Tenant) -> str:
        """What is kept of each task of a tenant."""
        return f"{self.prefix}:{{{shard}}}:{tenant}:rows"

    def index(self, shard: int, tenant: Tenant) -> str:
        """What tasks of a tenant are found by."""
        return f"{self.prefix}:{{{shard}}}:{tenant}:index"

    def counts(self, shard: int, tenant: Tenant, day: int) -> str:
        """A tenant's counts of a day."""
        return f"{self.prefix}:{{{shard}}}:{tenant}:counts:{day}"

    def runs(self, shard: int, tenant: Tenant) -> str:
        """Which weeks have run records of a tenant."""
        return f"{self.prefix}:{{{shard}}}:{tenant}:runs"

    def runs_of(self, shard: int, tenant: Tenant, week: int, part: int) -> str:
        """One part of a week's run records."""
        return f"{self.prefix}:{{{shard}}}:{tenant}:runs:{week}:{part}"

    def tenant_of_index(self, key: str) -> Tenant | None:
        """Whose index this key is; nothing for any other key."""
        found = _INDEX.fullmatch(key.removeprefix(f"{self.prefix}:"))
        return None if found is None else Tenant(found["tenant"])

    def shards(self) -> str:
        """Where the number of shards is written down; the one key without expiry."""
        return f"{self.prefix}:shards"


def checked_tenant(tenant: str) -> Tenant:
    """A usable tenant name. Raises `InvalidSetting`."""
    if not _TENANT.fullmatch(tenant):
        raise InvalidSetting("tenant", "argument", f"{tenant!r} must be 1 to 64 of A-Z a-z 0-9 . _ -")
    return Tenant(tenant)


def checked_task_id(task_id: object) -> TaskId:
    """A usable task id: text that is not empty and that UTF-8 can hold. Raises `InvalidQuery`."""
    if not isinstance(task_id, str):
        raise InvalidQuery(
            "task_id", f"it is of type {type(task_id).__name__}; task ids are text, as in str(7)"
        )
    if not task_id:
        raise InvalidQuery("task_id", "it is empty; a task needs an id")
    try:
        task_id.encode()
    except UnicodeEncodeError:
        raise InvalidQuery("task_id", f"{task_id!r} holds half a character (a lone surrogate)") from None
    return TaskId(task_id)


@lru_cache(maxsize=8192)
def encode_task_id(task_id: TaskId) -> str:
    """The task's part of a key; different ids always give different parts.

    >>> encode_task_id(TaskId("a/b")), encode_task_id(TaskId("{x}"))
    ('a%2Fb', '%7Bx%7D')
    """
    if task_id.isascii():
        encoded = task_id.translate(_ENCODED)
    else:
        encoded = quote(task_id.encode(errors="surrogatepass"), safe="").replace("~", "%7E")
    if len(encoded) <= _LONGEST_ENCODED:
        return encoded
    return f"~{hashlib.sha256(task_id.encode(errors='surrogatepass')).hexdigest()}"


@lru_cache(maxsize=8192)
def _hash(address: TaskAddress) -> int:
    name = f"{address.tenant}~{address.task_id}".encode(errors="surrogatepass")
    return int.from_bytes(hashlib.sha256(name).digest()[:8])
