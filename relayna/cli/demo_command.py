"""`relayna demo`: see in a minute what relayna shows, with nothing else installed."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import click
import msgspec

from relayna.cli.amqp import connecting_quietly, url_given_as
from relayna.cli.demo.scenarios import FAILING, SCENARIOS, play_all
from relayna.cli.demo.venue import MemoryVenue, Venue
from relayna.cli.output import called, console
from relayna.cli.serving import listening_socket, serve_app
from relayna.ids import Tenant
from relayna.mint import RandomMint
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.metrics import PrometheusMeasures
from relayna.observability.terminal import print_graph_tree
from relayna.projections.failure import explain_failure
from relayna.projections.graph import ExecutionGraph
from relayna.settings import Settings, load_settings
from relayna.streams import DEFAULT_TENANT
from relayna.streams.embedded import EmbeddedServer
from relayna.streams.redis import RedisLog

__all__ = ["command"]

_PREFIX: Final = "relayna-demo"
_RETENTION_SECONDS: Final = 3_600


@click.command("demo")
@click.option("--once", is_flag=True, help="Play, draw and exit instead of serving the API.")
@click.option(
    "--amqp", metavar="URL", help="Play on this RabbitMQ; queues of this run's own, deleted afterwards."
)
@click.option("--json", "as_json", is_flag=True, help="Print the graphs as one JSON object.")
@click.option(
    "--keep",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the server's data there.",
)
def command(*, once: bool, amqp: str | None, as_json: bool, keep: Path | None) -> int:
    """Play all topologies through real consumers, draw one failing run and serve the API until Ctrl-C.

    Starts a Valkey or Redis of its own, unless RELAYNA_REDIS_URL names one. The broker is in memory, unless
    --amqp names one.
    """
    settings = load_settings().settings
    venue = _venue(amqp)
    try:
        anyio.run(_demo, settings, venue, once, as_json, keep)
    except TimeoutError as error:
        raise click.ClickException("The demonstration did not come to its end within a minute.") from error
    return 0


def _venue(amqp_url: str | None) -> Venue:
    if amqp_url is None:
        return MemoryVenue()
    from relayna.cli.demo.rabbitmq_venue import RabbitMQVenue

    with url_given_as("--amqp"):
        return RabbitMQVenue(amqp_url, suffix=f".demo-{RandomMint().producer()}")


async def _demo(settings: Settings, venue: Venue, once: bool, as_json: bool, keep: Path | None) -> None:
    # What the scenarios fail at on purpose is drawn, not logged.
    logging.getLogger("relayna.consumer").addHandler(logging.NullHandler())
    # A store that outlives us may hold an earlier demonstration: this one has a tenant of its own.
    lasting = settings.redis_url is not None or keep is not None
    tenant = Tenant(f"demo-{RandomMint().producer()}") if lasting else DEFAULT_TENANT
    async with _entered(venue), _store_url(settings, keep) as url:
        log = RedisLog(url, prefix=_PREFIX, retention_seconds=_RETENTION_SECONDS)
        async with log:
            service = ExecutionGraphService(log=log, tenant=tenant, retention_seconds=_RETENTION_SECONDS)
            measures = PrometheusMeasures()
            graphs = await play_all(venue, log, tenant, service, measures)
            if as_json:
                sys.stdout.buffer.write(msgspec.json.encode({"graphs": graphs}) + b"\n")
                sys.stdout.flush()
            else:
                _show(graphs)
            if not once:
                await _serve(settings, tenant, log, measures)


@asynccontextmanager
async def _entered(venue: Venue) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        with connecting_quietly():
            await stack.enter_async_context(venue)
        yield


@asynccontextmanager
async def _store_url(settings: Settings, keep: Path | None) -> AsyncIterator[str]:
    if settings.redis_url is not None:
        yield settings.redis_url
        return
    async with EmbeddedServer(data_directory=keep) as server:
        yield server.url


def _show(graphs: dict[str, ExecutionGraph]) -> None:
    out = console()
    out.print(f"{FAILING.task_id}: {FAILING.story}.\n", soft_wrap=True)
    print_graph_tree(graphs[FAILING.name], out)
    out.print(f"\n{explain_failure(graphs[FAILING.name]).sentence}", soft_wrap=True)
    out.print("\nPlayed through real consumers, recorded and replayed:")
    for scenario in SCENARIOS:
        rows = ((scenario.task_id, scenario.story), *scenario.other_tasks)
        for task_id, story in rows:
            out.print(f"  {task_id:<14}  {story}", soft_wrap=True)


async def _serve(settings: Settings, tenant: Tenant, log: RedisLog, measures: PrometheusMeasures) -> None:
    from relayna.api import RelaynaRuntime, create_app

    listener = listening_socket(settings.host, settings.port, or_any_port=True)
    host, port = listener.getsockname()[:2]
    options = "" if tenant == DEFAULT_TENANT else f" --tenant {tenant}"
    click.echo(
        "\nSee the others, in another terminal:\n"
        f"  {called()} graph {SCENARIOS[0].task_id} --redis-url {log.url} --prefix {_PREFIX}{options}\n"
        f"  curl 'http://{host}:{port}/executions/{SCENARIOS[-1].task_id}/graph?format=mermaid'\n"
        "Ctrl-C ends it.",
        err=True,
    )
    runtime = RelaynaRuntime(log=log, tenant=tenant, retention_seconds=_RETENTION_SECONDS, measures=measures)
    await serve_app(create_app(runtime), listener)
