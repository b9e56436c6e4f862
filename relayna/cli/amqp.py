"""What commands that use a broker once say of one that cannot be had: one sentence, and the option by its name.

Owns the quiet while they connect, and the naming. Connects to nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from relayna.errors import InvalidSetting

__all__ = ["connecting_quietly", "url_given_as"]

_TALKERS: Final = ("aio_pika", "aiormq", "relayna.broker")


@contextmanager
def connecting_quietly() -> Iterator[None]:
    """Log no try meanwhile: a worker's log wants each, and whoever waits for a command wants the last one's error.

    After an error the quiet stays: what the other connection still has to say comes when the command has spoken.
    """
    loggers = [logging.getLogger(name) for name in _TALKERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@contextmanager
def url_given_as(option: str) -> Iterator[None]:
    """Call a broker's wrong URL by the option, or the setting's source, that it came from."""
    try:
        yield
    except InvalidSetting as error:
        raise click.BadParameter(error.problem, param_hint=option) from None
