"""Settings, read once at the edge: file < environment < argument.

Owns their names, defaults and checks, and the only reading of the environment. A wrong value is reported
with the setting's name and where it came from. Nothing is read on import.
"""

from __future__ import annotations

import logging
import os
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from relayna.errors import InvalidSetting
from relayna.store_url import masked_store_url, parse_store_url

__all__ = [
    "EffectiveSettings",
    "LineageSwitch",
    "Settings",
    "amqp_url_for_tests",
    "lineage_emits",
    "lineage_live",
    "lineage_reads",
    "lineage_switches",
    "load_settings",
    "masked",
    "wants_colour",
]

_ENVIRONMENT_PREFIX: Final = "RELAYNA_"
_FILE_VARIABLE: Final = "RELAYNA_CONFIG"
_TEST_AMQP_VARIABLE: Final = "RELAYNA_TEST_AMQP_URL"
_MOST_DAYS: Final = 36_500
_ON: Final = frozenset({"1", "true", "yes", "on"})
_OFF: Final = frozenset({"", "0", "false", "no", "off"})

_log: Final = logging.getLogger("relayna.settings")


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the command line and the service run with. Each is `RELAYNA_<NAME>` in the environment."""

    redis_url: str | None = None
    """Where the streams are: redis://, rediss://, unix://, or of a cluster redis+cluster://HOST,HOST, or of what
    sentinels watch redis+sentinel://HOST,HOST/SERVICE; rediss+… for TLS."""
    amqp_url: str | None = None
    """Where the broker is, to which dead letters are replayed: amqp:// or amqps://."""
    prefix: str = "relayna"
    """The first part of every key."""
    tenant: str = "default"
    """Whose tasks are read and written."""
    shard_count: int = 64
    """Over how many shards the prefix is laid out; fixed once it is used."""
    retention_seconds: int = 604_800
    """How long a task's stream is kept after its end, and after each event since."""
    open_retention_seconds: int = 2_592_000
    """How long the stream of a task that has not ended is kept after its last event."""
    lineage_retention_days: int = 90
    """How long runs and the edges between them are kept after the last that is known of them."""
    lineage_retention_days_by_tenant: dict[str, int] = field(default_factory=dict)
    """The same of tenants that have their own; in the environment as acme=365,beta=30."""
    graph_cache_items: int = 50_000
    """Events, nodes and edges of graphs that `relayna serve` keeps in memory, about 1 KB each; 0 keeps none."""
    host: str = "127.0.0.1"
    """Where `relayna serve` listens."""
    port: int = 8765
    api_token_file: str | None = None
    """Lists the tokens that `relayna serve` takes; without one it listens on this machine alone, for all."""
    allow_writes: bool = False
    """Whether callers with the scope `replay` may use it."""
    tls_certificate: str | None = None
    """The certificate, with its chain, that `relayna serve` shows: a PEM file. Without one it speaks plain HTTP."""
    tls_key: str | None = None
    """The certificate's private key: a PEM file."""
    metrics_host: str = "127.0.0.1"
    """Where a worker serves its metrics."""
    metrics_port: int | None = None
    """Its port for them, 0 for any free one; without one it serves none. `relayna serve` has them on its own port."""
    spool_directory: str | None = None
    """Where events wait on the local disk while the store is away; without one they wait in memory."""
    storage_url: str | None = None
    """Where inputs of messages are stored: a directory, or an fsspec URL such as s3://bucket/inputs."""
    redact_keys: tuple[str, ...] = ()
    """Words, beside the usual ones such as `password`, that mark values to be hidden before anything is stored."""


class EffectiveSettings(Struct, frozen=True, kw_only=True):
    """The settings, and where each value came from."""

    settings: Settings
    sources: dict[str, str]
    """By name: `default`, `file PATH`, `environment RELAYNA_…` or `argument`."""


class LineageSwitch(Struct, frozen=True, kw_only=True):
    """One of the three that are read from the environment at each call."""

    name: str
    source: str
    """`default`, or `environment RELAYNA_…`."""
    is_on: bool
    effect: str


def load_settings(
    arguments: Mapping[str, Any] | None = None,  # Any: None means not given
    *,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> EffectiveSettings:
    """Bring the three sources together. Raises `InvalidSetting`.

    `environment` is the process's own unless given; `file` is a TOML file, by default the one that
    `RELAYNA_CONFIG` names.
    """
    environment = os.environ if environment is None else environment
    if file is None and environment.get(_FILE_VARIABLE):
        file = Path(environment[_FILE_VARIABLE])
    values: dict[str, Any] = {}  # Any: checked below
    sources = dict.fromkeys(Settings.__struct_fields__, "default")
    for name, value in _from_file(file).items():
        if name not in sources:
            raise InvalidSetting(
                name, f"file {file}", f"there is no such setting; there are {', '.join(sources)}"
            )
        values[name], sources[name] = value, f"file {file}"
    for name in sources:
        variable = _ENVIRONMENT_PREFIX + name.upper()
        if environment.get(variable):
            values[name], sources[name] = environment[variable], f"environment {variable}"
    for name, value in (arguments or {}).items():
        if value is not None:
            values[name], sources[name] = value, "argument"
    return EffectiveSettings(settings=_checked(values, sources), sources=sources)


def amqp_url_for_tests(environment: Mapping[str, str] | None = None) -> str | None:
    """The RabbitMQ that tests may use, `RELAYNA_TEST_AMQP_URL`: never the one of `amqp_url`, where work is done."""
    environment = os.environ if environment is None else environment
    return environment.get(_TEST_AMQP_VARIABLE) or None


def lineage_reads(environment: Mapping[str, str] | None = None) -> bool:
    """Whether questions about lineage are answered over HTTP: `RELAYNA_LINEAGE_READ`, as it is at this moment."""
    return _is_on("RELAYNA_LINEAGE_READ", environment)


def lineage_emits(environment: Mapping[str, str] | None = None) -> bool:
    """Whether handlers' words on lineage are recorded: `RELAYNA_LINEAGE_EMIT`, as it is at this moment."""
    return _is_on("RELAYNA_LINEAGE_EMIT", environment)


def lineage_live(environment: Mapping[str, str] | None = None) -> bool:
    """Whether sessions may be followed live: `RELAYNA_LINEAGE_LIVE`, and nothing without `RELAYNA_LINEAGE_EMIT`."""
    return _is_on("RELAYNA_LINEAGE_LIVE", environment) and lineage_emits(environment)


def lineage_switches(environment: Mapping[str, str] | None = None) -> list[LineageSwitch]:
    """All three, as they are at this moment, in the order in which they are switched on."""
    told = (
        ("lineage_emit", lineage_emits, "handlers' words on lineage are recorded"),
        ("lineage_read", lineage_reads, "questions about lineage are answered over HTTP"),
        ("lineage_live", lineage_live, "sessions are followed live; needs lineage_emit too"),
    )
    environment = os.environ if environment is None else environment
    found = []
    for name, is_on, effect in told:
        variable = _ENVIRONMENT_PREFIX + name.upper()
        source = f"environment {variable}" if environment.get(variable) else "default"
        found.append(LineageSwitch(name=name, source=source, is_on=is_on(environment), effect=effect))
    return found


def wants_colour(environment: Mapping[str, str] | None = None) -> bool:
    """Whether whoever looks at the terminal wants colours: not with NO_COLOR, nor on a dumb one."""
    environment = os.environ if environment is None else environment
    return not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def masked(name: str, value: object) -> str:
    """A value as it may be shown: credentials of URLs are hidden.

    >>> masked("redis_url", "redis://user:secret@cache:6379/0")
    'redis://***@cache:6379/0'
    """
    text = str(value)
    if isinstance(value, tuple):
        text = ",".join(map(str, value))
    elif isinstance(value, dict):
        text = ",".join(f"{key}={told}" for key, told in value.items())
    return masked_store_url(text) if name.endswith("_url") else text


def _is_on(variable: str, environment: Mapping[str, str] | None) -> bool:
    environment = os.environ if environment is None else environment
    return _means_on(variable, environment.get(variable, ""))


@lru_cache(maxsize=64)
def _means_on(variable: str, value: str) -> bool:
    """Whether that value switches it on; what means nothing is logged once, since this remembers."""
    word = value.strip().lower()
    if word not in _ON and word not in _OFF:
        _log.warning("%s is off: %r means nothing; use 1, true, yes or on, else 0.", variable, value[:80])
    return word in _ON


def _from_file(file: Path | None) -> dict[str, Any]:  # Any: whatever TOML holds
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidSetting("config", f"file {file}", f"cannot be read: {error}") from error


def _spelled_out(name: str, value: Any) -> Any:  # Any: checked by whoever asks
    """Lists and tables are one line in the environment."""
    if not isinstance(value, str) or name not in ("redact_keys", "lineage_retention_days_by_tenant"):
        return value
    words = [word.strip() for word in value.split(",") if word.strip()]
    if name == "redact_keys":
        return words
    pairs = (word.partition("=") for word in words)
    return {tenant.strip(): days.strip() for tenant, _, days in pairs}


def _checked(values: Mapping[str, Any], sources: Mapping[str, str]) -> Settings:
    converted: dict[str, Any] = {}  # Any: of the field's type
    for known in msgspec.structs.fields(Settings):
        name = known.name
        if name not in values:
            continue
        try:
            converted[name] = msgspec.convert(_spelled_out(name, values[name]), known.type, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidSetting(name, sources[name], str(error)) from error
    settings = Settings(**converted)
    for name, least, most in (
        ("port", 0, 65_535),
        ("metrics_port", 0, 65_535),
        ("retention_seconds", 1, 2**31),
        ("open_retention_seconds", 1, 2**31),
        ("shard_count", 1, 16_384),
        ("lineage_retention_days", 1, _MOST_DAYS),
        ("graph_cache_items", 0, 2**31),
    ):
        value = getattr(settings, name)
        if value is not None and not least <= value <= most:
            problem = f"{value} is not between {least} and {most}"
            raise InvalidSetting(name, sources[name], problem)
    for tenant, days in settings.lineage_retention_days_by_tenant.items():
        if not 1 <= days <= _MOST_DAYS:
            name, problem = (
                "lineage_retention_days_by_tenant",
                f"{days} of {tenant!r} is not between 1 and {_MOST_DAYS}",
            )
            raise InvalidSetting(name, sources[name], problem)
    if settings.redis_url is not None:
        parse_store_url(settings.redis_url, source=sources["redis_url"])
    return settings
