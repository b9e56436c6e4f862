"""Asks a server again and again whether it lives, from a process of its own that does nothing else.

livez_prober.py HOST PORT    until its standard input ends; then says the milliseconds of each answer, a line each
"""

from __future__ import annotations

import http.client
import sys
import threading
import time


def _probe(host: str, port: int) -> None:
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    connection = http.client.HTTPConnection(host, port, timeout=60)
    took: list[float] = []
    print("ready", flush=True)
    while not ended.is_set() or not took:
        began = time.perf_counter()
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        answer.read()
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, answer.status
        ended.wait(0.005)
    print("\n".join(f"{milliseconds:.3f}" for milliseconds in took))


if __name__ == "__main__":
    _probe(sys.argv[1], int(sys.argv[2]))
