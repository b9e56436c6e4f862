"""`GET /readyz`: what it is made of, and when it is 503."""

from __future__ import annotations

import pytest
from api.serving import Serve, app_on
from servers import StoreUnderTest

from relayna.streams import Log
from relayna.streams.redis import RedisLog

pytestmark = pytest.mark.anyio


async def test_a_log_that_answers_is_ready(serve: Serve, log: Log) -> None:
    client = await serve(app_on(log))
    answer = await client.get("/readyz")
    told = answer.json()
    assert (answer.status_code, told["status"]) == (200, "ready")
    assert answer.headers["content-type"] == "application/json"
    assert told["checked_at"].endswith("+00:00")
    assert {"name": "store", "state": "ok", "found": "The store answers.", "advice": ""} in told["checks"]


async def test_a_store_that_does_not_answer_is_not_ready_though_the_process_lives(serve: Serve) -> None:
    client = await serve(app_on(RedisLog("redis://:secret@127.0.0.1:1/0")))
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
    assert answer.headers["retry-after"] == "5"
    assert "127.0.0.1" not in answer.text
    assert "secret" not in answer.text
    assert (await client.get("/livez")).status_code == 200


async def test_a_failed_check_is_not_ready(serve: Serve, any_store: StoreUnderTest) -> None:
    any_store.admin.set(f"{any_store.prefix}:shards", 16)
    any_store.admin.config_set("maxmemory", "1gb")
    any_store.admin.config_set("maxmemory-policy", "allkeys-lru")
    try:
        client = await serve(app_on(RedisLog(any_store.url, prefix=any_store.prefix, shard_count=16)))
        answer = await client.get("/readyz")
    finally:
        any_store.admin.config_set("maxmemory-policy", "noeviction")
        any_store.admin.config_set("maxmemory", "0")
    failed = [check["name"] for check in answer.json()["checks"] if check["state"] == "failed"]
    assert (answer.status_code, failed) == (503, ["eviction_policy"])
