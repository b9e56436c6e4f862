"""What can be done to a real server so that it refuses appends, and how that is undone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import redis
from msgspec import Struct
from streams.log_harness import ORDER

from relayna.streams.keys import KeyGrammar
from relayna.streams.outcomes import Outcome, Ruling, Trouble

__all__ = ["ON_NEW_CONNECTIONS", "PROVOCATIONS", "Provocation"]

_NOT_DONE = Ruling(Outcome.NOT_DONE, Trouble.STORE)
_SHUT = Ruling(Outcome.PERMANENT, Trouble.STORE)
_EVERYTHING = {"enabled": True, "nopass": True, "keys": ["*"], "categories": ["+@all"]}


class Provocation(Struct, frozen=True, kw_only=True):
    """One kind of refusal."""

    name: str
    code: str
    """With which the answer begins."""
    expected: Ruling
    provoke: Callable[[redis.Redis], object]
    mend: Callable[[redis.Redis], object]

    def __str__(self) -> str:
        return self.name


def _configured(name: str, wrong: object, right: object, code: str, expected: Ruling) -> Provocation:
    return Provocation(
        name=name,
        code=code,
        expected=expected,
        provoke=lambda admin: admin.config_set(name, wrong),
        mend=lambda admin: admin.config_set(name, right),
    )


def _forbidden(command: str, code: str, expected: Ruling) -> Provocation:
    return Provocation(
        name=f"no {command}",
        code=code,
        expected=expected,
        provoke=lambda admin: admin.acl_setuser("default", **_EVERYTHING, commands=[f"-{command}"]),
        mend=_permit,
    )


def _permit(admin: redis.Redis) -> None:
    admin.acl_setuser("default", reset=True, reset_keys=True, **_EVERYTHING)


def _forbid_keys(admin: redis.Redis) -> None:
    admin.acl_setuser("default", reset_keys=True, **{**_EVERYTHING, "keys": ["elsewhere"]})


def _follow_nobody(admin: redis.Redis) -> None:
    admin.replicaof("127.0.0.1", "1")


def _lead(admin: redis.Redis) -> None:
    admin.replicaof("NO", "ONE")
    admin.config_set("replica-serve-stale-data", "yes")


def _be_silent(admin: redis.Redis) -> None:
    admin.config_set("replica-serve-stale-data", "no")
    _follow_nobody(admin)


def _fail_to_save(admin: redis.Redis) -> None:
    _snapshot(admin).mkdir()
    admin.bgsave()
    while admin.info("persistence")["rdb_last_bgsave_status"] != "err":
        assert admin.time()
    admin.config_set("save", "1 1")


def _save(admin: redis.Redis) -> None:
    _snapshot(admin).rmdir()
    admin.config_set("save", "")


def _snapshot(admin: redis.Redis) -> Path:
    return Path(admin.config_get("dir")["dir"], "dump.rdb")


def _ask_for_a_password(admin: redis.Redis) -> None:
    admin.config_set("requirepass", "swordfish")
    admin.client_kill_filter(_type="normal", skipme=True)


def _admit_nobody(admin: redis.Redis) -> None:
    admin.config_set("maxclients", 1)
    admin.client_kill_filter(_type="normal", skipme=True)


_STREAM = KeyGrammar().events(ORDER)

PROVOCATIONS = [
    _configured("maxmemory", 1, 0, "OOM", _SHUT),
    _configured("min-replicas-to-write", 1, 0, "NOREPLICAS", _NOT_DONE),
    _forbidden("xadd", "ERR", _SHUT),
    _forbidden("evalsha", "NOPERM", _SHUT),
    _forbidden("pexpire", "ERR", Ruling(Outcome.UNKNOWN, Trouble.STORE)),
    Provocation(name="no keys", code="NOPERM", expected=_SHUT, provoke=_forbid_keys, mend=_permit),
    Provocation(name="replica", code="READONLY", expected=_NOT_DONE, provoke=_follow_nobody, mend=_lead),
    Provocation(name="lone replica", code="MASTERDOWN", expected=_NOT_DONE, provoke=_be_silent, mend=_lead),
    Provocation(name="full disk", code="MISCONF", expected=_NOT_DONE, provoke=_fail_to_save, mend=_save),
    Provocation(
        name="no stream",
        code="WRONGTYPE",
        expected=Ruling(Outcome.PERMANENT, Trouble.TASK),
        provoke=lambda admin: admin.set(_STREAM, "no stream"),
        mend=lambda admin: admin.delete(_STREAM),
    ),
]

ON_NEW_CONNECTIONS = [
    Provocation(
        name="password",
        code="NOAUTH",
        expected=_SHUT,
        provoke=_ask_for_a_password,
        mend=lambda admin: admin.config_set("requirepass", ""),
    ),
    Provocation(
        name="too many clients",
        code="",
        expected=_NOT_DONE,
        provoke=_admit_nobody,
        mend=lambda admin: admin.config_set("maxclients", 1_000),
    ),
]
"""They show only to those who connect: what is connected already is cut off."""
