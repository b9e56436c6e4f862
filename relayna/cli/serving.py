"""Serves an ASGI app until it is told to stop. Owns the socket, where it may listen, TLS and the server's bounds."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from functools import partial
from pathlib import Path
from typing import Any, Final

import uvicorn
from msgspec import Struct

from relayna.api.host_check import LOOPBACK_HOSTS, KnownHosts
from relayna.api.tokens import TokenAccess
from relayna.cli.http_protocol import MOST_HEAD_BYTES, GuardedHttp
from relayna.cli.socket_protocol import GuardedSocket
from relayna.errors import InvalidSetting
from relayna.settings import Settings

__all__ = ["TlsFiles", "access_of", "listening_socket", "serve_app", "tls_files"]

_HANDSHAKE_SECONDS: Final = 10.0
_GOODBYE_SECONDS: Final = 5.0
_MOST_TOLD_BYTES: Final = 1024
"""WebSockets here tell, and are told nothing."""
_STRICT_TRANSPORT: Final = ("Strict-Transport-Security", "max-age=31536000")


class TlsFiles(Struct, frozen=True, kw_only=True):
    """What TLS needs, as PEM files."""

    certificate: Path
    key: Path


def access_of(settings: Settings) -> TokenAccess | None:
    """The tokens that the settings name; None where nobody is asked for one. Raises `InvalidSetting`."""
    return None if settings.api_token_file is None else TokenAccess(Path(settings.api_token_file))


def tls_files(settings: Settings) -> TlsFiles | None:
    """Those that the settings name; None for plain HTTP. Raises `InvalidSetting` for one without the other."""
    given = {"tls_certificate": settings.tls_certificate, "tls_key": settings.tls_key}
    for name, file in given.items():
        if file is not None and not Path(file).is_file():
            raise InvalidSetting(name, "settings", f"there is no file {file}")
        if file is None and any(given.values()):
            raise InvalidSetting(name, "settings", "it is not set; TLS needs a certificate and its key")
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    files = TlsFiles(certificate=Path(settings.tls_certificate), key=Path(settings.tls_key))
    try:
        # Nobody is asked for the password of a key that has one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key, password=str)
    except (OSError, ValueError) as error:
        problem = f"{files.certificate} and {files.key} are no certificate and its key: {error}"
        raise InvalidSetting("tls_certificate", "settings", problem) from error
    return files


def listening_socket(
    host: str, port: int, *, has_tokens: bool = False, or_any_port: bool = False
) -> socket.socket:
    """A listening socket. Raises `InvalidSetting`.

    Where nothing is asked of a reader but to reach the port, only this machine may: on a loopback address.
    """
    if not has_tokens and not _is_loopback(host):
        problem = (
            f"{host!r} can be reached from other machines and nobody is asked for a token; use 127.0.0.1, or "
            "make a token (relayna token --name NAME) and name the file that lists it by RELAYNA_API_TOKEN_FILE"
        )
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
            return listening_socket(host, 0, has_tokens=has_tokens)
        raise InvalidSetting(
            "port", "settings", f"cannot listen on {host}:{port}: {error.strerror}"
        ) from error
    return listener


async def serve_app(
    app: Any,  # Any: an ASGI application
    listener: socket.socket,
    *,
    host: str = "127.0.0.1",
    has_tokens: bool = False,
    tls: TlsFiles | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM, then let requests at hand finish.

    Without tokens it answers only under the names of this machine's loopback, and `host`: see `KnownHosts`.
    """
    if not has_tokens:
        app = KnownHosts(app, {*LOOPBACK_HOSTS, f"[{host}]" if ":" in host else host})
    config = uvicorn.Config(
        app,
        http=GuardedHttp,
        ws=GuardedSocket,
        ws_max_size=_MOST_TOLD_BYTES,
        ws_per_message_deflate=False,
        log_level="error",  # whoever sends garbage writes no log of ours
        access_log=False,
        server_header=False,
        headers=[] if tls is None else [_STRICT_TRANSPORT],
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
        timeout_graceful_shutdown=5,
        ssl_certfile=None if tls is None else tls.certificate,
        ssl_keyfile=None if tls is None else tls.key,
    )
    with listener:
        await _Server(config).serve(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn, which would wait a minute for a client to shake hands."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.config.ssl is None:
            await super().startup(sockets)
            return
        await super().startup([])  # the app's lifespan, and no socket yet
        loop = asyncio.get_running_loop()
        connection = partial(GuardedHttp, self.config, self.server_state, self.lifespan.state)
        for listener in sockets or ():
            self.servers.append(
                await loop.create_server(
                    connection,
                    sock=listener,
                    ssl=self.config.ssl,
                    ssl_handshake_timeout=_HANDSHAKE_SECONDS,
                    ssl_shutdown_timeout=_GOODBYE_SECONDS,
                    backlog=self.config.backlog,
                )
            )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
