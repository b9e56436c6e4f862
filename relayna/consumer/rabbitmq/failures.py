"""What the driver raises and RabbitMQ refuses, in relayna's words, without credentials.

Owns the list of the driver's errors and the masking. Decides nothing about trying again.
"""

from __future__ import annotations

from aio_pika import exceptions as driver

from relayna.errors import BrokerError, BrokerRefused, Disconnected
from relayna.topologies.amqp_url import masked_amqp_url

__all__ = ["CONNECT_ERRORS", "DRIVER_ERRORS", "GivenUp", "connection_failure", "problem_of"]

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


def problem_of(error: Exception, *, user: str | None = None) -> str:
    """The broker's or the system's own words. RabbitMQ quotes the user's name in some of them."""
    words = [str(part) for part in error.args if isinstance(part, str)]
    text = " ".join(words) or str(error) or type(error).__name__
    return (text.replace(f"'{user}'", "'***'") if user else text).rstrip(".")
