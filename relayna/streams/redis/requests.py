"""What is asked of a store, whether it is one server or many, and what travels together.

Owns transactions: how requests for several commands at one moment are brought together and taken apart
again. Sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from msgspec import Struct, field

from relayna.streams.redis.client import Command, Reply
from relayna.streams.redis.failures import Failed

__all__ = ["Bundle", "Request", "bundles"]

_REQUESTS_A_TRANSACTION = 64
"""The server does nothing else during a transaction; more requests than this are made in several."""


class Request(Struct, frozen=True, gc=False):
    """One command, or several that see the store at one moment.

    The reply to one command is its own; to several it is the list of theirs, or `Failed` when none was
    carried out.
    """

    commands: Sequence[Command]
    key: bytes | str | None = None
    """A key of theirs; all others lie in the same Cluster slot. None where any server may answer."""


class Bundle(Struct, frozen=True):
    """Requests that go to a server together, each with its number among all that were asked for."""

    requests: list[tuple[int, Request]] = field(default_factory=list)

    @property
    def is_transaction(self) -> bool:
        """Whether it is carried out as a whole, or not at all."""
        return len(self.requests[0][1].commands) > 1

    def commands(self) -> list[Command]:
        """What is sent."""
        commands = [command for _, request in self.requests for command in request.commands]
        return [("MULTI",), *commands, ("EXEC",)] if self.is_transaction else commands

    def replies(self, answers: Sequence[Reply]) -> list[tuple[int, Reply]]:
        """The reply to each request, from the answers to the commands."""
        if not self.is_transaction:
            return [(self.requests[0][0], answers[0])]
        # The first refusal says why: what the server then answers to EXEC is only that there was one.
        for answer in answers:
            if isinstance(answer, Failed):
                return [(number, answer) for number, _ in self.requests]
        carried_out = answers[-1]
        if not isinstance(carried_out, list):
            return [(number, None) for number, _ in self.requests]
        replies: list[tuple[int, Reply]] = []
        at = 0
        for number, request in self.requests:
            replies.append((number, carried_out[at : at + len(request.commands)]))
            at += len(request.commands)
        return replies

    def singly(self) -> list[Bundle]:
        """Each of its requests by itself."""
        return [Bundle([numbered]) for numbered in self.requests]


def bundles(requests: Iterable[tuple[int, Request]], place: Callable[[Request], Hashable]) -> list[Bundle]:
    """Bring requests for several commands into transactions, those of one place together; others stay single."""
    bundled: list[Bundle] = []
    open_bundles: dict[Hashable, Bundle] = {}
    for number, request in requests:
        if len(request.commands) == 1:
            bundled.append(Bundle([(number, request)]))
            continue
        where = place(request)
        bundle = open_bundles.get(where)
        if bundle is None or len(bundle.requests) == _REQUESTS_A_TRANSACTION:
            bundle = open_bundles[where] = Bundle()
            bundled.append(bundle)
        bundle.requests.append((number, request))
    return bundled
