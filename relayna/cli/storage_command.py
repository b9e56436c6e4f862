"""`relayna storage get KEY`: the bytes of a stored input, as they came. Owns the command."""

from __future__ import annotations

import sys

import anyio
import click

from relayna.cli.options import required_storage_url, store_options
from relayna.settings import EffectiveSettings
from relayna.storage import PayloadNotFound, storage_at
from relayna.streams import checked_tenant

__all__ = ["command"]

_NOT_FOUND = 3


@click.group("storage")
def command() -> None:
    """Read what is stored of messages."""


@command.command("get")
@click.argument("key")
@click.option(
    "--storage-url", metavar="URL", help="A directory, or an fsspec URL. [env: RELAYNA_STORAGE_URL]"
)
@store_options
def get_command(*, key: str, effective: EffectiveSettings) -> int:
    """Write the bytes under KEY to stdout: a message's body, as it came.

    A message tells its key as storage_key, in `relayna messages show` and in JSON.
    """
    settings = effective.settings
    storage = storage_at(required_storage_url(settings), tenant=checked_tenant(settings.tenant))
    try:
        data = anyio.run(storage.get, key)
    except PayloadNotFound as error:
        click.echo(f"relayna: {error}", err=True)
        return _NOT_FOUND
    sys.stdout.buffer.write(data)
    return 0
