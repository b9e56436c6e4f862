"""The log in Redis or Valkey. The only package that imports redis."""

from typing import TypeAlias

from redis.asyncio import Redis

from relayna.streams.redis.log import RedisLog

__all__ = ["RedisLog", "RedisSource"]

RedisSource: TypeAlias = str | Redis
"""A `redis://`, `rediss://` or `unix://` URL, or a client, which lends its connection settings only."""
