"""The ways from pending frames into the log: where they wait, who offers them, who keeps the accounts.

Owns how these are put together: for what is recorded here, and for what comes back from the spool.
"""

from __future__ import annotations

from msgspec import Struct

from relayna.clock import Clock
from relayna.ids import Tenant
from relayna.signals import Counters, measures_of
from relayna.streams.log import Log
from relayna.streams.recording.buffer import Buffer
from relayna.streams.recording.flush_policy import FlushPolicy
from relayna.streams.recording.lanes import Lanes, Tally
from relayna.streams.recording.losses import Losses
from relayna.streams.recording.offering import Offering
from relayna.streams.recording.retransmit_window import RetransmitWindow
from relayna.streams.recording.settling import Settling

__all__ = ["Outlet", "Outlets"]


class Outlet(Struct, frozen=True):
    """One way, of one tenant's frames."""

    lanes: Lanes
    offering: Offering
    settling: Settling


class Outlets:
    """All ways of one flusher. What the log takes by one of them is evidence for all."""

    def __init__(
        self,
        log: Log,
        buffer: Buffer,
        losses: Losses,
        *,
        tenant: Tenant,
        producer: str,
        clock: Clock,
        counters: Counters,
        policy: FlushPolicy,
    ) -> None:
        self._log = log
        self._buffer = buffer
        self._tenant = tenant
        self._producer = producer
        self._clock = clock
        self._counters = counters
        self._policy = policy
        self._tally = Tally()
        self.direct = self._made(tenant, losses, window_bytes=policy.window_bytes)
        """For what is recorded here."""

    def for_drained(self, tenant: Tenant) -> Outlet:
        """For what comes back from the spool, where another recorder's frames may lie, of any tenant."""
        if tenant == self._tenant:
            lanes = self._lanes()
            self.direct.lanes.stay_behind(lanes)
            return Outlet(lanes, self.direct.offering, self.direct.settling)
        # What is lost of a tenant that is not ours is counted and written down; only its own recorders
        # confess in its streams.
        return self._made(tenant, Losses(self._counters), window_bytes=0)

    def _made(self, tenant: Tenant, losses: Losses, *, window_bytes: int) -> Outlet:
        window = RetransmitWindow(max_bytes=window_bytes, max_seconds=self._policy.window_seconds)
        return Outlet(
            self._lanes(),
            Offering(
                self._log,
                tenant=tenant,
                clock=self._clock,
                window=window,
                measures=measures_of(self._counters),
            ),
            Settling(
                self._buffer,
                losses,
                tenant=tenant,
                producer=self._producer,
                clock=self._clock,
                counters=self._counters,
            ),
        )

    def _lanes(self) -> Lanes:
        return Lanes(
            frame_events=self._policy.flush_events,
            frame_bytes=self._policy.flush_bytes,
            refusal_limit=self._policy.refusal_limit,
            tally=self._tally,
        )
