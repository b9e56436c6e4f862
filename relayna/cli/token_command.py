"""`relayna token`: make a token for the HTTP API. Stores nothing: the file that lists tokens is the operator's."""

from __future__ import annotations

import json
from typing import Final, get_args

import click

from relayna.api.caller import Scope
from relayna.api.tokens import digest_of, new_token
from relayna.streams import checked_tenant

__all__ = ["command"]

_SCOPES: Final = get_args(Scope)


@click.command("token")
@click.option("--name", required=True, help="Whose it is, as audits say it.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(_SCOPES),
    multiple=True,
    default=("read",),
    show_default=True,
    help="What it may; several times for several.",
)
@click.option("--tenant", help="Whose tasks it shows; by default those of the service's own tenant.")
def command(*, name: str, scopes: tuple[str, ...], tenant: str | None) -> int:
    """Make a token and say what the file named by RELAYNA_API_TOKEN_FILE needs to know of it.

    The token goes to stderr, and nowhere else; the entry, which is no secret, goes to stdout:

        relayna token --name grafana --scope metrics >> tokens.toml
    """
    if not 1 <= len(name) <= 64 or not name.isprintable():
        raise click.BadParameter("It must have 1 to 64 characters that can be shown.", param_hint="--name")
    token = new_token()
    entry = {"name": name, "sha256": digest_of(token), "scopes": sorted(set(scopes), key=_SCOPES.index)}
    if tenant is not None:
        entry["tenant"] = checked_tenant(tenant)
    click.echo(f"The token, told this once:\n{token}\nIts entry in the file of tokens:", err=True)
    # JSON's strings and lists of strings are TOML's too.
    lines = (f"{field} = {json.dumps(value, ensure_ascii=False)}" for field, value in entry.items())
    click.echo("\n".join(("[[token]]", *lines)))
    return 0
