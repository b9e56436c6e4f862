"""The HTTP API in a process of its own. As a script it is that server.

Arguments: the store's URL and the prefix. Small socket buffers make a client that does not read felt at once.
"""

from __future__ import annotations

import socket
import sys

import anyio

from relayna.api import RelaynaRuntime, create_app
from relayna.cli.serving import listening_socket, serve_app
from relayna.streams.redis import RedisLog


async def _serve(redis_url: str, prefix: str) -> None:
    listener = listening_socket("127.0.0.1", 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * 1024)
    host, port = listener.getsockname()[:2]
    print(f"listens on http://{host}:{port} .")
    await serve_app(create_app(RelaynaRuntime(log=RedisLog(redis_url, prefix=prefix))), listener)
    print("has stopped .")


if __name__ == "__main__":
    anyio.run(_serve, *sys.argv[1:])
