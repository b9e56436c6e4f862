"""A lifespan for a host's own app: the runtime is open while the app is up.

Owns how the runtime is found again from the app. What it is made of is in `runtime.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from relayna.api.runtime import RelaynaRuntime
from relayna.errors import ConfigurationError
from relayna.observability.stores import DEFAULT_HISTORY_MAXLEN
from relayna.streams import DEFAULT_PREFIX, DEFAULT_SHARD_COUNT, DEFAULT_TENANT
from relayna.streams.log import DEFAULT_RETENTION_SECONDS
from relayna.streams.redis import RedisLog, RedisSource
from relayna.topologies import Topology

__all__ = ["NoRuntime", "RelaynaLifespan", "create_relayna_lifespan", "get_relayna_runtime"]

_STATE: Final = "relayna"
_OBSERVATIONS_TTL_SECONDS: Final = 86_400


class NoRuntime(ConfigurationError):
    """This app has no runtime of relayna."""

    def __init__(self) -> None:
        super().__init__(
            "This app has no relayna lifespan. Make it with lifespan=create_relayna_lifespan(…), or, inside a "
            "lifespan of your own, enter that one and keep the lifespan itself: it has .runtime."
        )


class RelaynaLifespan:
    """What an app takes as its `lifespan`; `runtime` is there before the app is up."""

    def __init__(self, runtime: RelaynaRuntime) -> None:
        self.runtime = runtime

    def __call__(self, app: Any) -> AbstractAsyncContextManager[None]:  # Any: an ASGI application
        """Keep the runtime open while the app is up, and leave it where `get_relayna_runtime` looks."""
        return self._open(app)

    @asynccontextmanager
    async def _open(self, app: Any) -> AsyncIterator[None]:  # Any: an ASGI application
        state = getattr(app, "state", None)
        if state is not None:
            setattr(state, _STATE, self.runtime)
        async with self.runtime:
            yield


def create_relayna_lifespan(
    *,
    redis_url: RedisSource,
    topology: Topology | None = None,
    observation_store_prefix: str = DEFAULT_PREFIX,
    observation_store_ttl_seconds: int = _OBSERVATIONS_TTL_SECONDS,
    observation_history_maxlen: int = DEFAULT_HISTORY_MAXLEN,
    tenant: str = DEFAULT_TENANT,
    shard_count: int = DEFAULT_SHARD_COUNT,
    retention_seconds: int = DEFAULT_RETENTION_SECONDS,
) -> RelaynaLifespan:
    """A lifespan for a Starlette or FastAPI app: `FastAPI(lifespan=create_relayna_lifespan(redis_url=…))`.

    `observation_store_prefix` is the first part of every key, as workers have it; `observation_store_ttl_seconds`
    and `observation_history_maxlen` bound what the observation store shows. Connects to nothing before the app
    starts. Raises `InvalidSetting`.
    """
    log = RedisLog(
        redis_url,
        prefix=observation_store_prefix,
        shard_count=shard_count,
        retention_seconds=retention_seconds,
    )
    return RelaynaLifespan(
        RelaynaRuntime(
            log=log,
            tenant=tenant,
            topology=topology,
            retention_seconds=retention_seconds,
            observation_ttl_seconds=observation_store_ttl_seconds,
            observation_history_maxlen=observation_history_maxlen,
        )
    )


def get_relayna_runtime(app: Any) -> RelaynaRuntime:  # Any: an ASGI application
    """The runtime of an app with such a lifespan, also before it is up. Raises `NoRuntime`."""
    runtime = getattr(getattr(app, "state", None), _STATE, None)
    if isinstance(runtime, RelaynaRuntime):
        return runtime
    lifespan = getattr(getattr(app, "router", None), "lifespan_context", None)
    if isinstance(lifespan, RelaynaLifespan):
        return lifespan.runtime
    raise NoRuntime
