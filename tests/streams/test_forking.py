"""Forked children begin anew."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import weakref

from relayna.streams.forking import after_fork


class Beginner:
    def __init__(self) -> None:
        self.begun = 0
        after_fork(self.begin)

    def begin(self) -> None:
        self.begun += 1


def test_a_child_begins_anew_and_its_parent_does_not() -> None:
    script = """
        import os
        from streams.test_forking import Beginner

        beginner = Beginner()
        child = os.fork()
        if not child:
            os._exit(beginner.begun)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        assert beginner.begun == 0
    """
    path = os.pathsep.join(entry for entry in sys.path if entry)
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], check=True, env={**os.environ, "PYTHONPATH": path}
    )


def test_who_asks_is_not_kept_alive() -> None:
    gone = weakref.ref(Beginner())
    gc.collect()
    assert gone() is None
