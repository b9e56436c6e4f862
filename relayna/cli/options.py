"""Options that several commands share, and the settings that they amount to."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from relayna.errors import InvalidSetting
from relayna.settings import EffectiveSettings, Settings, load_settings

__all__ = ["required_amqp_url", "required_redis_url", "required_storage_url", "store_options"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--redis-url", metavar="URL", help="Where the streams are. [env: RELAYNA_REDIS_URL]"),
    click.option("--prefix", help="First part of every key. [env: RELAYNA_PREFIX; default: relayna]"),
    click.option("--tenant", help="Whose tasks. [env: RELAYNA_TENANT; default: default]"),
    click.option(
        "--config", "config_file", type=click.Path(path_type=Path), help="A TOML file. [env: RELAYNA_CONFIG]"
    ),
)

# Settings that only some of the commands have options for.
_OTHERS = (
    "host", "port", "api_token_file", "allow_writes", "tls_certificate", "tls_key", "amqp_url", "spool_directory",
    "storage_url",
)  # fmt: skip


def store_options(function: FunctionT) -> FunctionT:
    """Add the options that say where the streams are; the command gets them as one `effective` argument."""

    @functools.wraps(function)
    def with_settings(
        *,
        redis_url: str | None,
        prefix: str | None,
        tenant: str | None,
        config_file: Path | None,
        **options: Any,
    ) -> object:
        arguments = {"redis_url": redis_url, "prefix": prefix, "tenant": tenant}
        arguments |= {name: options.pop(name) for name in _OTHERS if name in options}
        effective: EffectiveSettings = load_settings(arguments, file=config_file)
        return function(effective=effective, **options)

    for option in reversed(_OPTIONS):
        with_settings = option(with_settings)
    return with_settings  # type: ignore[return-value]  # the same command, with its options spelled out


def required_redis_url(settings: Settings) -> str:
    """The URL of the store. Raises `InvalidSetting` when nobody gave one."""
    if settings.redis_url is None:
        raise InvalidSetting(
            "redis_url",
            "default",
            "it is not set; give --redis-url or RELAYNA_REDIS_URL, as redis://127.0.0.1:6379/0",
        )
    return settings.redis_url


def required_amqp_url(settings: Settings) -> str:
    """The URL of the broker. Raises `InvalidSetting` when nobody gave one."""
    if settings.amqp_url is None:
        raise InvalidSetting(
            "amqp_url",
            "default",
            "it is not set; give --amqp-url or RELAYNA_AMQP_URL, as amqp://127.0.0.1:5672/",
        )
    return settings.amqp_url


def required_storage_url(settings: Settings) -> str:
    """Where payloads are stored. Raises `InvalidSetting` when nobody said."""
    if settings.storage_url is None:
        raise InvalidSetting(
            "storage_url",
            "default",
            "it is not set; give --storage-url or RELAYNA_STORAGE_URL, as /var/lib/relayna/inputs or s3://bucket/inputs",
        )
    return settings.storage_url
