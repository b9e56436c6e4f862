"""Serves an ASGI app until it is told to stop. Owns the socket and where it may listen."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Any

import uvicorn

from relayna.errors import InvalidSetting

__all__ = ["listening_socket", "serve_app"]


def listening_socket(host: str, port: int, *, or_any_port: bool = False) -> socket.socket:
    """A listening socket on a loopback address. Raises `InvalidSetting`.

    Nothing is asked of a reader but to reach the port, so only this machine may.
    """
    if not _is_loopback(host):
        problem = f"{host!r} can be reached from other machines and there is no access control; use 127.0.0.1"
        raise InvalidSetting("host", "settings", problem)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without the protocol named, asyncio does not turn Nagle's algorithm off: 44 ms a request.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # from now on a caller waits for us instead of being refused
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE and or_any_port:
            return listening_socket(host, 0)
        raise InvalidSetting(
            "port", "settings", f"cannot listen on {host}:{port}: {error.strerror}"
        ) from error
    return listener


async def serve_app(app: Any, listener: socket.socket) -> None:  # Any: an ASGI application
    """Serve until Ctrl-C or SIGTERM, then let requests at hand finish."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5)
    with listener:
        await uvicorn.Server(config).serve(sockets=[listener])


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
