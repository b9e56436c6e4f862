"""A RabbitMQ node of our own, for tests and benchmarks: on free loopback ports, with directories of its own.

Owns finding the server, starting it, ending it, and what an operator does to it meanwhile.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

__all__ = ["RabbitMQNode", "find_rabbitmq"]

_HOST: Final = "127.0.0.1"
_ATTEMPTS: Final = 3
"""Another process may take a free port between the finding and the binding."""
_STEPS_TO_READY: Final = 3_000
_STEP_SECONDS: Final = 0.02
_ALARMING: Final = "1"
_MEMORY: Final = "400MB"

# Debian's wrapper on PATH changes to the service's own user and directories.
_DEBIAN: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

# Its input ends when we are gone, however that came: then the node and its epmd end too.
_END_WITH_US: Final = 'spawn(fun()->io:get_line([]),os:cmd(["epmd",32,"-kill"]),erlang:halt(1)end).'

_CONFIGURATION: Final = """\
listeners.tcp.default = {host}:{port}
default_user = {user}
default_pass = {password}
default_user_tags.administrator = true
default_permissions.configure = .*
default_permissions.read = .*
default_permissions.write = .*
vm_memory_high_watermark.absolute = {memory}
disk_free_limit.absolute = 1MB
raft.wal_max_size_bytes = 8388608
max_message_size = 4194304
log.file.level = warning
listeners.ssl.default = {host}:{tls_port}
ssl_options.certfile = {directory}/certificate.pem
ssl_options.keyfile = {directory}/key.pem
ssl_options.verify = verify_none
"""


def find_rabbitmq() -> Path | None:
    """The script that starts a node, if there is one."""
    found = _DEBIAN if _DEBIAN.exists() else shutil.which("rabbitmq-server")
    return None if found is None else Path(found).resolve()


class RabbitMQNode:
    """A node that lives as long as the context, and its epmd, both ended by their process ids."""

    user: Final = "tester"
    password: Final = f"p-{secrets.token_hex(8)}"

    def __init__(self, script: Path) -> None:
        self._script = script
        self._directory = Path(tempfile.mkdtemp(prefix="relayna-rabbitmq-"))
        self._name = f"relayna-{uuid4().hex[:8]}@localhost"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.port = 0
        self.tls_port = 0
        self._epmd_port = 0
        self._distribution_port = 0

    @property
    def url(self) -> str:
        """Where it listens, with credentials."""
        return f"amqp://{self.user}:{self.password}@{_HOST}:{self.port}/"

    @property
    def tls_url(self) -> str:
        """Where it listens with TLS; it trusts the certificate that the URL names."""
        return f"amqps://{self.user}:{self.password}@{_HOST}:{self.tls_port}/?cafile={self._certificate}"

    def __enter__(self) -> Self:
        try:
            cookie = self._directory / ".erlang.cookie"
            cookie.write_text(secrets.token_hex(16))
            cookie.chmod(0o400)
            (self._directory / "plugins").write_text("[].\n")
            self._make_certificate()
            for _ in range(_ATTEMPTS):
                self.port, self.tls_port, self._epmd_port, self._distribution_port = _free_ports(4)
                if self._comes_up():
                    return self
                self.kill()
            raise RuntimeError(f"{self._script} did not come up: {self._last_words()}")
        except BaseException:
            self._end()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def kill(self) -> None:
        """End node and epmd at once, as a power cut would."""
        while self._processes:
            process = self._processes.pop()
            process.kill()
            process.communicate()

    def start_again(self) -> None:
        """Start it on the ports and the data it had, and return when it answers."""
        if not self._comes_up():
            raise RuntimeError(f"{self._script} did not come up again: {self._last_words()}")

    def write_down_queues(self) -> None:
        """Put on disk which quorum queues there are. RabbitMQ does so by itself twice a second.

        A queue that was declared just before its node was killed comes back unable to take anything.
        """
        self.control("eval", "[ok = dets:sync(Table) || Table <- dets:all()].")

    def set_memory_alarm(self, *, on: bool) -> None:
        """Let it believe that it has no memory left, or enough."""
        self.control("set_vm_memory_high_watermark", "absolute", _ALARMING if on else _MEMORY)

    def control(self, *arguments: str) -> str:
        """What `rabbitmqctl` says."""
        command = [str(self._script.parent / "rabbitmqctl"), "--quiet", "--node", self._name, *arguments]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=True)
        return done.stdout

    def _comes_up(self) -> bool:
        configuration = _CONFIGURATION.format(
            host=_HOST,
            port=self.port,
            tls_port=self.tls_port,
            user=self.user,
            password=self.password,
            memory=_MEMORY,
            directory=self._directory,
        )
        (self._directory / "rabbitmq.conf").write_text(configuration)
        epmd = ("epmd", "-port", str(self._epmd_port), "-address", _HOST, "-relaxed_command_check")
        self._spawn(*epmd)
        node = self._spawn(
            str(self._script),
            # The script then becomes the node, instead of a shell that waits for it.
            RABBITMQ_ALLOW_INPUT="1",
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=(
                f"-noshell -eval {_END_WITH_US} -kernel inet_dist_use_interface {{127,0,0,1}} +S 2:2"
            ),
        )
        for _ in range(_STEPS_TO_READY):
            if _speaks_amqp(self.port):
                return True
            try:
                node.wait(_STEP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            return False
        return False

    def _spawn(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        with open(self._directory / "output", "ab") as output:
            process = subprocess.Popen(
                command,
                env={**self._environment(), **environment},
                cwd=self._directory,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                process_group=0,  # Ctrl-C is for us
            )
        self._processes.append(process)
        return process

    def _environment(self) -> dict[str, str]:
        here = self._directory
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(here),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": _HOST,
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(here / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(here / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(here / "mnesia"),
            "RABBITMQ_LOG_BASE": str(here / "log"),
            "RABBITMQ_PID_FILE": str(here / "pid"),
        }

    @property
    def _certificate(self) -> Path:
        return self._directory / "certificate.pem"

    def _make_certificate(self) -> None:
        command = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=tests"
        )
        files = ("-keyout", str(self._directory / "key.pem"), "-out", str(self._certificate))
        address = ("-addext", f"subjectAltName=IP:{_HOST}")
        subprocess.run([*command.split(), *files, *address], check=True, capture_output=True)

    def _end(self) -> None:
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _last_words(self) -> str:
        output = self._directory / "output"
        return output.read_text(errors="replace")[-2000:] if output.exists() else "it said nothing"


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind((_HOST, 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _speaks_amqp(port: int) -> bool:
    try:
        with socket.create_connection((_HOST, port), timeout=1) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
    except OSError:
        return False
