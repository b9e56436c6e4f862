"""`relayna config`: each effective setting and where it came from, secrets masked."""

from __future__ import annotations

import sys

import click
import msgspec

from relayna.cli.options import store_options
from relayna.settings import EffectiveSettings, lineage_switches, masked

__all__ = ["command"]


@click.command("config")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--host", help="Where `relayna serve` listens. [env: RELAYNA_HOST]")
@click.option("--port", type=int, help="Its port. [env: RELAYNA_PORT]")
@click.option("--amqp-url", metavar="URL", help="Where dead letters are replayed to. [env: RELAYNA_AMQP_URL]")
@store_options
def command(*, style: str, effective: EffectiveSettings) -> int:
    """Show each effective setting and where it came from.

    Sources, the later wins: the TOML file, the environment, the argument. The switches of lineage are read from the
    environment alone, at each call.
    """
    rows = {
        name: {"value": masked(name, getattr(effective.settings, name)), "source": source}
        for name, source in effective.sources.items()
    }
    for switch in lineage_switches():
        value = "on" if switch.is_on else "off"
        rows[switch.name] = {"value": value, "source": switch.source, "effect": switch.effect}
    if style == "json":
        sys.stdout.buffer.write(msgspec.json.encode(rows) + b"\n")
        return 0
    width = max(map(len, rows))
    value_width = max(len(row["value"]) for row in rows.values())
    for name, row in rows.items():
        effect = f" ({row['effect']})" if "effect" in row else ""
        click.echo(f"{name:<{width}}  {row['value']:<{value_width}}  {row['source']}{effect}")
    return 0
