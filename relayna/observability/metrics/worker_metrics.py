"""The metrics of a worker process, with the port that they are served on.

Owns where that port comes from, and that it is open while anybody uses the measures. What they are is in
`measures.py`, how they are served in `metrics_server.py`.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from prometheus_client.core import CollectorRegistry

from relayna.clock import Clock, SystemClock
from relayna.observability.metrics.measures import PrometheusMeasures
from relayna.observability.metrics.metrics_server import MetricsServer
from relayna.settings import load_settings

__all__ = ["WorkerMetrics"]


class WorkerMetrics(PrometheusMeasures):
    """One argument to a `RelaynaClient`: its workers, its sink, the spool and the log report here.

    Serves them at `http://METRICS_HOST:METRICS_PORT/metrics` while the client is open, when there is a port:
    `RELAYNA_METRICS_PORT`, or the argument. Without one they are in `registry`, for those who serve it themselves.

        client = RelaynaClient(topology=topology, observation_sink=sink, counters=WorkerMetrics())
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        host: str | None = None,
        port: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Port 0 is any free one. Loopback unless told otherwise. Raises `InvalidSetting`."""
        super().__init__(registry, clock=clock)
        settings = load_settings({"metrics_host": host, "metrics_port": port}).settings
        self._server: MetricsServer | None = None
        if settings.metrics_port is not None:
            self._server = MetricsServer(
                self.registry,
                host=settings.metrics_host,
                port=settings.metrics_port,
                clock=clock or SystemClock(),
            )
        self._users = 0

    @property
    def address(self) -> tuple[str, int] | None:
        """Where they are served at this moment."""
        return None if self._server is None else self._server.address

    async def __aenter__(self) -> Self:
        """Serve them, for one more user."""
        self._users += 1
        if self._users == 1 and self._server is not None:
            try:
                await self._server.start()
            except BaseException:
                self._users -= 1
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """With the last user the port closes."""
        self._users -= 1
        if not self._users and self._server is not None:
            await self._server.stop()
