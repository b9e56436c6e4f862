"""`relayna serve`: the HTTP API on this machine."""

from __future__ import annotations

import socket

import anyio
import click

from relayna.api import RelaynaRuntime, create_app
from relayna.cli.options import required_redis_url, store_options
from relayna.cli.serving import listening_socket, serve_app
from relayna.errors import StoreError
from relayna.settings import EffectiveSettings, Settings
from relayna.streams.redis import RedisLog

__all__ = ["command"]


@click.command("serve")
@click.option("--host", help="A loopback address. [env: RELAYNA_HOST; default: 127.0.0.1]")
@click.option("--port", type=int, help="0 for any free one. [env: RELAYNA_PORT; default: 8765]")
@store_options
def command(*, effective: EffectiveSettings) -> int:
    """Serve graphs over HTTP until Ctrl-C."""
    settings = effective.settings
    url = required_redis_url(settings)
    listener = listening_socket(settings.host, settings.port)
    anyio.run(_serve, settings, url, listener)
    return 0


async def _serve(settings: Settings, url: str, listener: socket.socket) -> None:
    log = RedisLog(url, prefix=settings.prefix, shard_count=settings.shard_count)
    host, port = listener.getsockname()[:2]
    click.echo(f"relayna listens on http://{host}:{port} and reads {log.url}", err=True)
    await _say_whether_it_answers(log)
    runtime = RelaynaRuntime(
        log=log,
        tenant=settings.tenant,
        retention_seconds=settings.retention_seconds,
        open_retention_seconds=settings.open_retention_seconds,
    )
    await serve_app(create_app(runtime), listener)


async def _say_whether_it_answers(log: RedisLog) -> None:
    """A store that is down now may come back: requests get 503 until then, and the operator is told now."""
    try:
        async with log:
            await log.ping()
    except StoreError as error:
        click.echo(f"relayna: {error} Requests are answered with 503 until it does.", err=True)
