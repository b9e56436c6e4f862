"""Where the streams are, as it is written down: one server, a cluster, or a master that sentinels know of.

    redis://[user:password@]host[:port][/db][?options]          one server; also rediss:// and unix://
    redis+cluster://[user:password@]host[:port][,…][?options]   some nodes of a cluster; also rediss+cluster://
    redis+sentinel://[user:password@]sentinel[:port][,…]/service[/db][?options]      also rediss+sentinel://

Owns the reading of the last two and the masking of all. Connects to nothing, and quotes no part of a URL
in an error: it may be a piece of the password.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NoReturn, TypeAlias
from urllib.parse import parse_qsl, unquote, urlencode

from msgspec import Struct, field

from relayna.errors import InvalidSetting

__all__ = ["Endpoint", "StoreKind", "StoreUrl", "masked_store_url", "parse_store_url"]

StoreKind: TypeAlias = Literal["single", "cluster", "sentinel"]

_SINGLE: Final = ("redis", "rediss", "unix")
_OF_MANY: Final[dict[str, tuple[str, StoreKind]]] = {
    "redis+cluster": ("redis", "cluster"),
    "rediss+cluster": ("rediss", "cluster"),
    "redis+sentinel": ("redis", "sentinel"),
    "rediss+sentinel": ("rediss", "sentinel"),
}
_DEFAULT_PORTS: Final[dict[StoreKind, int]] = {"cluster": 6379, "sentinel": 26379}
_ENDPOINT: Final = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^\[\]:,\s]+))(?::([0-9]{1,5}))?")
_SECRET_OPTION: Final = re.compile(r"([?&][^=&]*(?:password|username)=)[^&]*", re.IGNORECASE)
_SENTINELS_OWN: Final = "sentinel_"


class Endpoint(Struct, frozen=True, order=True, gc=False):
    """A host and port that something listens on; as text, with brackets round an IPv6 address."""

    host: str
    port: int

    def __str__(self) -> str:
        """As URLs have it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class StoreUrl(Struct, frozen=True, kw_only=True):
    """What a URL says. Holds credentials: show `shown` to people, and nothing else of it."""

    kind: StoreKind
    plain: str
    """A redis://, rediss:// or unix:// URL with the credentials and options, for a driver to read. Its host and
    port are those of the first endpoint."""
    shown: str
    """Credentials masked."""
    endpoints: tuple[Endpoint, ...] = ()
    """Nodes of the cluster or sentinels; none for a single server."""
    service: str = ""
    """What sentinels call the master and its replicas."""
    sentinel_options: dict[str, str] = field(default_factory=dict)
    """Options for the sentinels alone: `sentinel_username`, `sentinel_password`, without the prefix."""


def parse_store_url(url: str, *, name: str = "redis_url", source: str = "argument") -> StoreUrl:
    """Read a URL. The options, and all of a single server's URL behind its scheme, are for the driver to check.

    Raises `InvalidSetting` with this name and source.

    >>> parse_store_url("redis+sentinel://a,b:7000/orders/2").plain
    'redis://a:26379/2'
    """
    return _Reading(url, name, source).result()


def masked_store_url(url: str) -> str:
    """Any URL without credentials, also where they stand among the options.

    >>> masked_store_url("redis+cluster://user:secret@a:7000,b:7000?password=secret&db=0")
    'redis+cluster://***@a:7000,b:7000?password=***&db=0'
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    rest = _SECRET_OPTION.sub(r"\1***", rest)
    return f"{scheme}://***@{rest.rpartition('@')[2]}" if "@" in rest else f"{scheme}://{rest}"


class _Reading:
    """One URL on its way to being understood."""

    def __init__(self, url: str, name: str, source: str) -> None:
        self._url, self._name, self._source = url, name, source

    def result(self) -> StoreUrl:
        scheme, separator, rest = self._url.partition("://")
        if separator and scheme in _SINGLE:
            return StoreUrl(kind="single", plain=self._url, shown=masked_store_url(self._url))
        if not separator or scheme not in _OF_MANY:
            self._refuse(
                f"it begins with none of {', '.join(f'{known}://' for known in (*_SINGLE, *_OF_MANY))}"
            )
        plain_scheme, kind = _OF_MANY[scheme]
        place, _, query = rest.partition("?")
        authority, _, path = place.partition("/")
        credentials, at, hosts = authority.rpartition("@")
        endpoints = self._endpoints(hosts, _DEFAULT_PORTS[kind])
        service, database = self._of_cluster(path) if kind == "cluster" else self._of_sentinel(path)
        options, sentinels_own = self._options(query, kind)
        return StoreUrl(
            kind=kind,
            plain=f"{plain_scheme}://{credentials}{at}{endpoints[0]}/{database}{options}",
            shown=masked_store_url(
                f"{scheme}://{credentials}{at}{','.join(map(str, endpoints))}"
                + (f"/{path}" if service else "")
            ),
            endpoints=endpoints,
            service=service,
            sentinel_options=sentinels_own,
        )

    def _endpoints(self, hosts: str, default_port: int) -> tuple[Endpoint, ...]:
        endpoints: dict[Endpoint, None] = {}
        for text in hosts.split(","):
            match = _ENDPOINT.fullmatch(text)
            port = int(match[3] or default_port) if match else 0
            if match is None or not 0 < port < 65_536:
                self._refuse(
                    "behind the credentials come hosts, as in host:7000,host:7001; escape / and ? in a password"
                )
            endpoints[Endpoint(match[1] or match[2], port)] = None
        return tuple(endpoints)

    def _of_cluster(self, path: str) -> tuple[str, int]:
        if path not in ("", "0"):
            self._refuse("a cluster has database 0 only; end the URL behind the hosts")
        return "", 0

    def _of_sentinel(self, path: str) -> tuple[str, int]:
        service, _, database = path.partition("/")
        if not service:
            self._refuse(
                "it names no service; say it behind the hosts, as in redis+sentinel://host:26379/service"
            )
        if database and not (database.isascii() and database.isdigit()):
            self._refuse("the database behind the service is not a number")
        return unquote(service), int(database or 0)

    def _options(self, query: str, kind: StoreKind) -> tuple[str, dict[str, str]]:
        named = parse_qsl(query, keep_blank_values=True)
        if kind == "cluster" and any(option == "db" and value != "0" for option, value in named):
            self._refuse("a cluster has database 0 only; leave db away")
        own = {
            option.removeprefix(_SENTINELS_OWN): value
            for option, value in named
            if option.startswith(_SENTINELS_OWN)
        }
        if own and (kind != "sentinel" or not set(own) <= {"username", "password"}):
            self._refuse("of options for sentinels there are sentinel_username and sentinel_password")
        rest = [(option, value) for option, value in named if not option.startswith(_SENTINELS_OWN)]
        return (f"?{urlencode(rest)}" if rest else ""), own

    def _refuse(self, problem: str) -> NoReturn:
        raise InvalidSetting(self._name, self._source, problem)
