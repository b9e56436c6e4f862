"""`relayna serve`: the HTTP API on this machine."""

from __future__ import annotations

import socket

import anyio
import click

from relayna.api import RelaynaRuntime, create_app
from relayna.api.tokens import TokenAccess
from relayna.cli.keeping import keeper_maker
from relayna.cli.options import required_redis_url, store_options
from relayna.cli.read_models import run_retention
from relayna.cli.serving import TlsFiles, access_of, listening_socket, serve_app, tls_files
from relayna.errors import StoreError
from relayna.observability.metrics import PrometheusMeasures
from relayna.settings import EffectiveSettings, Settings
from relayna.streams.redis import RedisLog

__all__ = ["command"]


@click.command("serve")
@click.option("--host", help="Without tokens, a loopback address. [env: RELAYNA_HOST; default: 127.0.0.1]")
@click.option("--port", type=int, help="0 for any free one. [env: RELAYNA_PORT; default: 8765]")
@click.option("--amqp-url", metavar="URL", help="To replay dead letters there. [env: RELAYNA_AMQP_URL]")
@click.option("--api-token-file", metavar="FILE", help="Lists the tokens. [env: RELAYNA_API_TOKEN_FILE]")
@click.option(
    "--allow-writes/--read-only", default=None, help="For the scope `replay`. [env: RELAYNA_ALLOW_WRITES]"
)
@click.option("--tls-certificate", metavar="FILE", help="PEM, with its chain. [env: RELAYNA_TLS_CERTIFICATE]")
@click.option("--tls-key", metavar="FILE", help="Its private key. [env: RELAYNA_TLS_KEY]")
@store_options
def command(*, effective: EffectiveSettings) -> int:
    """Serve graphs over HTTP until Ctrl-C."""
    settings = effective.settings
    url = required_redis_url(settings)
    access, tls = access_of(settings), tls_files(settings)
    listener = listening_socket(settings.host, settings.port, has_tokens=access is not None)
    anyio.run(_serve, settings, url, listener, access, tls)
    return 0


async def _serve(
    settings: Settings, url: str, listener: socket.socket, access: TokenAccess | None, tls: TlsFiles | None
) -> None:
    log = RedisLog(url, prefix=settings.prefix, shard_count=settings.shard_count)
    host, port = listener.getsockname()[:2]
    scheme = "http" if tls is None else "https"
    click.echo(f"relayna listens on {scheme}://{host}:{port} and reads {log.url}", err=True)
    await _say_whether_it_answers(log)
    measures = PrometheusMeasures()
    runtime = RelaynaRuntime(
        log=log,
        tenant=settings.tenant,
        retention_seconds=settings.retention_seconds,
        open_retention_seconds=settings.open_retention_seconds,
        run_retention=run_retention(settings),
        graph_cache_items=settings.graph_cache_items,
        measures=measures,
        dead_letters=keeper_maker(settings, counters=measures),
    )
    app = create_app(runtime, access=access, allow_writes=settings.allow_writes)
    await serve_app(app, listener, host=settings.host, has_tokens=access is not None, tls=tls)


async def _say_whether_it_answers(log: RedisLog) -> None:
    """A store that is down now may come back: requests get 503 until then, and the operator is told now."""
    try:
        async with log:
            await log.ping()
    except StoreError as error:
        click.echo(f"relayna: {error} Requests are answered with 503 until it does.", err=True)
