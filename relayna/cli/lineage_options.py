"""Options that the commands about runs share, and the service that they ask. Owns what becomes of the options."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import click
from msgspec import Struct

from relayna.cli.lineage_output import LINEAGE_FORMATS
from relayna.cli.lineage_records import known_runs
from relayna.cli.read_models import log_and_models, say_lag
from relayna.observability.lineage_gathering import Recorded
from relayna.observability.lineage_service import LineageService
from relayna.observability.lineage_told import Births, Downstream, RunsCompared, Session, Upstream
from relayna.observability.lineage_view import checked_view
from relayna.observability.read_models import ReadModelProgress
from relayna.projections.lineage.walks import DEFAULT_HOPS
from relayna.settings import Settings
from relayna.streams import checked_tenant

__all__ = ["WalkAsked", "answer_of", "format_option", "kinds_option", "view_options", "walk_options"]

AnswerT = TypeVar("AnswerT")
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class WalkAsked(Struct, frozen=True, kw_only=True):
    """How far to walk, and along what."""

    max_hops: int
    kinds: tuple[str, ...]
    causal: bool


def answer_of(settings: Settings, ask: Callable[[LineageService], Awaitable[AnswerT]]) -> AnswerT:
    """What a service over the store of these settings answers; says on stderr when that is old."""

    async def answer() -> AnswerT:
        log, models = log_and_models(settings)
        tenant, kept = checked_tenant(settings.tenant), settings.retention_seconds
        recorded = Recorded(known_runs(log, settings), ReadModelProgress(log=log, read_models=models))
        async with log:
            return await ask(
                LineageService(log=log, tenant=tenant, retention_seconds=kept, recorded=recorded)
            )

    found = anyio.run(answer)
    if isinstance(found, Session | Upstream | Downstream | Births | RunsCompared):
        say_lag(found.as_of, found.lag_ms)
    if isinstance(found, Session | Downstream) and found.unknown_groups:
        click.echo(f"relayna: no such groups here: {', '.join(found.unknown_groups)}", err=True)
    return found


def format_option(function: FunctionT) -> FunctionT:
    """Add the choice of formats, as `style`."""
    choice = click.Choice(LINEAGE_FORMATS)
    return click.option("--format", "style", type=choice, default="tree", show_default=True)(function)


def kinds_option(function: FunctionT) -> FunctionT:
    """Add the choice of kinds, as a tuple `kinds`."""
    option = click.option(
        "--kinds", callback=_listed, metavar="KIND,…", help="Only edges of these kinds, as spawn,retry."
    )
    return option(function)


def walk_options(function: FunctionT) -> FunctionT:
    """Add what a walk may be asked; the command gets it as one `walk`."""

    @functools.wraps(function)
    def with_walk(*, max_hops: int, kinds: tuple[str, ...], any_time: bool, **options: Any) -> object:
        return function(walk=WalkAsked(max_hops=max_hops, kinds=kinds, causal=not any_time), **options)

    hops = click.option(
        "--max-hops", type=int, default=DEFAULT_HOPS, show_default=True, help="Edges away at most."
    )
    any_time = click.option("--any-time", is_flag=True, help="Follow edges whatever their times.")
    return hops(kinds_option(any_time(with_walk)))  # type: ignore[return-value]  # with its options spelled out


def view_options(function: FunctionT) -> FunctionT:
    """Add how siblings are shown; the command gets it as one `view`, which always has costs."""

    @functools.wraps(function)
    def with_view(*, group: bool, expand: tuple[str, ...], **options: Any) -> object:
        siblings = "grouped" if group or expand else None
        view = checked_view(siblings=siblings, expand=expand, overlays=True)
        return function(view=view, **options)

    group = click.option("--group", is_flag=True, help="Five or more children alike stand on one line.")
    expand = click.option(
        "--expand", callback=_listed, metavar="GROUP,…", help="With --group, all runs of these groups."
    )
    return group(expand(with_view))  # type: ignore[return-value]  # with its options spelled out


def _listed(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(one.strip() for one in text.split(","))
