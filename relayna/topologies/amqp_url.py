"""The address of a broker, checked and shown without its secrets.

Owns what an AMQP URL must look like. No message of its errors repeats any part of the URL.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from relayna.errors import InvalidTopology

__all__ = ["check_amqp_url", "masked_amqp_url"]


def check_amqp_url(field: str, url: object) -> None:
    """Refuse what no AMQP client could connect to. Raises `InvalidTopology`."""
    parts = _split(url)
    if parts is None:
        raise InvalidTopology(field, "it is not a URL. Use amqp://user:password@host:5672/vhost")
    if parts.scheme not in ("amqp", "amqps"):
        raise InvalidTopology(field, "it does not begin with amqp:// or amqps://")
    if not parts.hostname:
        raise InvalidTopology(field, "it names no host. Use amqp://user:password@host:5672/vhost")
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        # An unescaped / ? or # ends the host early: the rest of a password would pass for a virtual host.
        raise InvalidTopology(field, "it has an '@' after the host. Percent-encode / ? # and @ in passwords")


def masked_amqp_url(url: object) -> str:
    """The URL without user, password and query.

    >>> masked_amqp_url("amqp://me:secret@broker:5672/orders?heartbeat=30")
    'amqp://***@broker:5672/orders'
    """
    parts = _split(url)
    if parts is None or "@" in f"{parts.path}{parts.query}{parts.fragment}":
        return "***"
    secrets, _, address = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{'***@' if secrets else ''}{address}{parts.path}"


def _split(url: object) -> SplitResult | None:
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # a wrong port is found out only when asked for
    except ValueError:  # its text repeats the URL, so it must not travel on
        return None
    return parts
