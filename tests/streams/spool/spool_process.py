"""A process that spools, for tests in which one is killed, forks or runs out of disk.

spool_process.py DIRECTORY endless              puts and syncs until it is killed; prints what is confirmed
spool_process.py DIRECTORY live                 puts 3 frames, prints "put", lives until its input ends
spool_process.py DIRECTORY fork                 puts 0, forks; the child puts 1, then the parent puts 2
spool_process.py DIRECTORY orphan               forks a child that outlives it, and dies
spool_process.py DIRECTORY limits N SEED        N times: puts until files may not grow any more
"""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import sys
from itertools import count
from pathlib import Path

from streams.spool.spool_steps import append_of, appends_of, drained, put, synced

from relayna.streams.spool import Spool, Written


def endless(directory: Path) -> None:
    spool = Spool(directory, segment_bytes=64 * 1024)
    for number in count():
        put(spool, 3 * number, 3 * number + 1, 3 * number + 2, size=5_000)
        synced(spool)
        print(3 * number + 2, flush=True)


def live(directory: Path) -> None:
    put(Spool(directory), 0, 1, 2)
    print("put", flush=True)
    sys.stdin.read()


def fork(directory: Path) -> None:
    spool = Spool(directory)
    put(spool, 0)
    child = os.fork()
    if not child:
        put(spool, 1)
        synced(spool)
        os._exit(0)
    os.waitpid(child, 0)
    put(spool, 2)
    synced(spool)
    print(len(list(directory.iterdir())), flush=True)


def orphan(directory: Path) -> None:
    spool = Spool(directory)
    put(spool, 0)
    synced(spool)
    if os.fork():
        os.kill(os.getpid(), signal.SIGKILL)
    print("orphaned", flush=True)
    sys.stdin.read()


def limits(directory: Path, rounds: str, seed: str) -> None:
    chance = random.Random(seed)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    number = 0
    for round_number in range(int(rounds)):
        spool = Spool(directory / str(round_number))
        written: list[int] = []
        resource.setrlimit(resource.RLIMIT_FSIZE, (chance.randint(0, 2_000), most))
        for _ in range(8):
            number += 1
            if isinstance(spool.put([append_of(number, chance.randint(1, 600))]), Written):
                written.append(number)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        number += 1
        put(spool, number)
        synced(spool)
        spool.close()
        print(*written, number, flush=True)


def small_disk(directory: Path) -> None:
    spool = Spool(directory / "spool", segment_bytes=20_000)
    written = 0
    while isinstance(result := spool.put([append_of(written, 3_000)]), Written):
        written += 1
    problem = os.strerror(errno.ENOSPC)
    assert problem in str(result.error), result.error
    print(f"{type(result.error).__name__}, {problem}", flush=True)
    assert 10 < written < 22
    synced(spool)
    assert drained(spool) == appends_of(range(written), 3_000)
    put(spool, 99, size=3_000)
    synced(spool)
    assert drained(spool) == appends_of([99], 3_000)
    spool.close()
    print("whole", flush=True)


if __name__ == "__main__":
    globals()[sys.argv[2]](Path(sys.argv[1]), *sys.argv[3:])
