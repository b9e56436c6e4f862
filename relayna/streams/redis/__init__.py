"""The log in Redis or Valkey: one server, a cluster, or a master under sentinels. The only package that imports redis."""

from relayna.streams.redis.addresses import RedisSource
from relayna.streams.redis.log import RedisLog

__all__ = ["RedisLog", "RedisSource"]
