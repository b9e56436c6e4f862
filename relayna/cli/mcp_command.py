"""`relayna mcp`: the tools for language models, on stdin and stdout. Writes nothing unless that is allowed."""

from __future__ import annotations

import anyio
import click

from relayna.api.opening import open_log
from relayna.api.runtime import RelaynaRuntime
from relayna.cli.keeping import keeper_maker
from relayna.cli.options import required_redis_url, store_options
from relayna.mcp import make_server, serve_stdio
from relayna.mcp.tools import TOOLS, WRITING_TOOLS
from relayna.observability.metrics import PrometheusMeasures
from relayna.settings import EffectiveSettings, Settings
from relayna.streams.redis import RedisLog

__all__ = ["command"]


@click.command("mcp")
@click.option("--amqp-url", metavar="URL", help="To replay dead letters there. [env: RELAYNA_AMQP_URL]")
@click.option(
    "--allow-writes/--read-only",
    default=None,
    help="Whether dead letters may be replayed. [env: RELAYNA_ALLOW_WRITES]",
)
@store_options
def command(*, effective: EffectiveSettings) -> int:
    """Answer a language model's questions about tasks (MCP over stdio).

    With --allow-writes there is one more tool, which sends a dead letter again. A client starts this command by itself and talks to it on stdin and stdout; see docs/mcp.md for its configuration.
    """
    anyio.run(_serve, effective.settings, required_redis_url(effective.settings))
    return 0


async def _serve(settings: Settings, url: str) -> None:
    log = RedisLog(url, prefix=settings.prefix, shard_count=settings.shard_count)
    measures = PrometheusMeasures()
    runtime = RelaynaRuntime(
        log=log,
        tenant=settings.tenant,
        retention_seconds=settings.retention_seconds,
        open_retention_seconds=settings.open_retention_seconds,
        graph_cache_items=settings.graph_cache_items,
        measures=measures,
        dead_letters=keeper_maker(settings, counters=measures),
    )
    tools = (*TOOLS, *WRITING_TOOLS) if settings.allow_writes else TOOLS
    server = make_server(lambda scope: runtime.services, tools)
    # Only the log is opened: an entered runtime would also keep lists up, which is the work of `relayna serve`.
    async with open_log(log):
        await serve_stdio(server)
