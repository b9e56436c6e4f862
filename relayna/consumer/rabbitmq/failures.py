"""What the driver raises and RabbitMQ refuses, in relayna's words, without credentials.

Owns the list of the driver's errors and the masking. Decides nothing about trying again.
"""

from __future__ import annotations

import asyncio
import errno

from aio_pika import exceptions as driver

from relayna.errors import BrokerError, BrokerRefused, Disconnected
from relayna.topologies.amqp_url import masked_amqp_url

__all__ = [
    "CONNECT_ERRORS",
    "DRIVER_ERRORS",
    "GivenUp",
    "connect_problem",
    "connection_failure",
    "no_greeting_within",
    "problem_of",
]

DRIVER_ERRORS = driver.CONNECTION_EXCEPTIONS
"""All that a call of the driver may raise for reasons of the network or the broker."""

CONNECT_ERRORS = (*DRIVER_ERRORS, ValueError, LookupError)
"""And what connecting raises for a host name that no resolver takes, or a broker that speaks oddly."""


class GivenUp(ConnectionError):
    """The driver ended a call before there was an answer: its connection or channel is gone."""

    def __init__(self) -> None:
        super().__init__("gone before there was an answer")


def connection_failure(error: Exception, *, url: str, user: str | None) -> BrokerError:
    """`BrokerRefused` when waiting cannot help: the login or the virtual host is wrong; else `Disconnected`."""
    what = f"the connection to {masked_amqp_url(url)}"
    problem = problem_of(error, user=user)
    if isinstance(error, driver.AuthenticationError | driver.ProbableAuthenticationError):
        return BrokerRefused(what, problem)
    if isinstance(error, driver.InvalidFrameError) and "Connection.Close" in problem:
        # The driver does not read why; a virtual host that is not there, or not for this user, ends so.
        return BrokerRefused(what, "it closed the connection when the virtual host was named")
    return Disconnected(f"The connection to {masked_amqp_url(url)} ({problem})")


def connect_problem(error: Exception, *, seconds: float, user: str | None) -> str:
    """Why a try of at most so many `seconds` made no connection, and what seems to listen there instead."""
    problem = problem_of(error, user=user)
    if isinstance(error, TimeoutError) and not error.args:
        return no_greeting_within(seconds)
    is_cut_off = isinstance(error.__cause__, asyncio.IncompleteReadError) and error.__cause__.partial
    if is_cut_off or isinstance(error, driver.ProtocolSyntaxError):
        return f"what answers there does not speak AMQP 0-9-1 ({problem})"
    refused = errno.ECONNREFUSED
    if getattr(error, "errno", None) == refused or f"[Errno {refused}]" in problem:
        return "connection refused"
    return problem


def no_greeting_within(seconds: float) -> str:
    """Nobody said no, and nobody spoke: a firewall, or a server that speaks something else."""
    return f"no AMQP greeting within {seconds:g} s; perhaps something else listens there"


def problem_of(error: Exception, *, user: str | None = None) -> str:
    """The broker's or the system's own words. RabbitMQ quotes the user's name in some of them."""
    words = [str(part) for part in error.args if isinstance(part, str)]
    text = " ".join(words) or str(error) or type(error).__name__
    return (text.replace(f"'{user}'", "'***'") if user else text).rstrip(".")
