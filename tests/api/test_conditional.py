"""ETag and If-None-Match: what a client has already is not folded and not sent again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from api.serving import Serve, app_on, record, task
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from relayna.api import RelaynaRuntime, create_app
from relayna.api.conditional import known_tags
from relayna.observability import ExecutionGraphService
from relayna.streams import Log, MemoryLog, StreamPage, StreamRange
from relayna.topologies import ContractAliasConfig

pytestmark = pytest.mark.anyio

GRAPH = "/executions/order-7/graph"
FORMATS = ("json", "mermaid", "dot")


class NothingRead(MemoryLog):
    """Fails a test that reads entries after `seal`."""

    sealed = False

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        assert not self.sealed, "a body was read"
        return await super().read(ranges)


async def test_an_unchanged_graph_is_not_sent_and_not_read_again(serve: Serve) -> None:
    log = NothingRead()
    await record(log, "order-7", *(f"step {number}" for number in range(10)))
    client = await serve(app_on(log))
    first = await client.get(GRAPH)
    log.sealed = True
    again = await client.get(GRAPH, headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "vary", "cache-control"):
        assert again.headers[name] == first.headers[name]
    assert "content-type" not in again.headers
    assert "content-length" not in again.headers


async def test_a_changed_graph_is_sent_with_another_tag(serve: Serve, log: Log) -> None:
    await record(log, "order-7", "processing")
    client = await serve(app_on(log))
    before = (await client.get(GRAPH)).headers["etag"]
    await record(log, "order-7", "processing", "completed")
    answer = await client.get(GRAPH, headers={"if-none-match": before})

    assert answer.status_code == 200
    assert answer.headers["etag"] != before
    assert answer.json()["summary"]["status"] == "completed"
    again = await client.get(GRAPH, headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_the_tag_of_json_is_the_version(serve: Serve) -> None:
    log = MemoryLog()
    await record(log, "order-7", "processing")
    client = await serve(app_on(log))
    tag = (await client.get(GRAPH)).headers["etag"]
    answer = await ExecutionGraphService(log=log).get_versioned("order-7", max_nodes=5_000)
    assert tag == f'"{answer.version}"'
    await record(log, "order-7", "processing", "completed")
    earlier = await client.get(GRAPH, params={"as_of": answer.version})
    assert earlier.json()["summary"]["status"] == "processing"
    assert earlier.headers["etag"] != tag


async def test_each_representation_has_a_tag_of_its_own(serve: Serve) -> None:
    log = MemoryLog()
    await record(log, "order-7", "processing")
    client = await serve(app_on(log))
    tags = {name: (await client.get(f"{GRAPH}?format={name}")).headers["etag"] for name in FORMATS}
    tags["old mermaid"] = (await client.get(GRAPH, headers={"accept": "text/x-mermaid"})).headers["etag"]

    assert len(set(tags.values())) == 4
    for name in FORMATS:
        headers = {"if-none-match": ", ".join(tag for other, tag in tags.items() if other != name)}
        assert (await client.get(f"{GRAPH}?format={name}", headers=headers)).status_code == 200
        headers = {"if-none-match": ", ".join(tags.values())}
        answer = await client.get(f"{GRAPH}?format={name}", headers=headers)
        assert (answer.status_code, answer.headers["etag"]) == (304, tags[name])


async def test_under_another_name_of_the_task_json_has_another_tag(serve: Serve) -> None:
    log = MemoryLog()
    await record(log, "order-7", "processing")
    aliases = ContractAliasConfig(field_aliases={"task_id": "order"})
    plain = await serve(app_on(log))
    renamed = await serve(create_app(RelaynaRuntime(log=log), aliases=aliases))
    tag = (await plain.get(GRAPH)).headers["etag"]
    answer = await renamed.get(GRAPH, headers={"if-none-match": tag})
    assert (answer.status_code, answer.json()["order"]) == (200, "order-7")
    tag = answer.headers["etag"]
    assert (await renamed.get(GRAPH, headers={"if-none-match": tag})).status_code == 304


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("{tag}", 304),
        ("W/{tag}", 304),
        ('"x", {tag}', 304),
        ('"x",,\t W/"y,z" ,{tag}', 304),
        ("*", 304),
        ('"*"', 200),
        ('"x"', 200),
        ("{bare}", 200),
        ("w/{tag}", 200),
        ("{tag}x", 200),
        ("nonsense {tag}", 200),
        ('"unended, {tag}', 200),
        ("", 200),
    ],
)
async def test_the_header_is_read_as_it_is_meant(serve: Serve, header: str, status: int) -> None:
    log = MemoryLog()
    await record(log, "order-7", "processing")
    client = await serve(app_on(log))
    tag = (await client.get(GRAPH)).headers["etag"]
    sent = header.format(tag=tag, bare=tag.strip('"'))
    answer = await client.get(GRAPH, headers={"if-none-match": sent})
    assert (answer.status_code, answer.headers["etag"]) == (status, tag)


async def test_several_headers_are_one_list(serve: Serve) -> None:
    log = MemoryLog()
    await record(log, "order-7", "processing")
    client = await serve(app_on(log))
    tag = (await client.get(GRAPH)).headers["etag"]
    headers = [("if-none-match", '"x"'), ("if-none-match", tag)]
    assert (await client.get(GRAPH, headers=headers)).status_code == 304


@pytest.mark.parametrize(
    ("target", "accept", "status"),
    [
        ("/executions/other/graph", "*/*", 404),
        (f"{GRAPH}?depth=99", "*/*", 422),
        (f"{GRAPH}?format=png", "*/*", 422),
        (GRAPH, "image/png", 406),
    ],
)
async def test_no_condition_hides_an_error(serve: Serve, target: str, accept: str, status: int) -> None:
    log = MemoryLog()
    await record(log, "order-7", "processing")
    client = await serve(app_on(log))
    tag = (await client.get(GRAPH)).headers["etag"]
    for condition in ("*", tag):
        answer = await client.get(target, headers={"if-none-match": condition, "accept": accept})
        assert (answer.status_code, "etag" in answer.headers) == (status, False)


async def test_a_tag_of_a_stream_that_has_gone_is_not_found(serve: Serve) -> None:
    log = MemoryLog()
    await record(log, "order-7", "processing")
    client = await serve(app_on(log))
    tag = (await client.get(GRAPH)).headers["etag"]
    log.delete(task("order-7"))
    assert (await client.get(GRAPH, headers={"if-none-match": tag})).status_code == 404


async def test_head_is_get_without_the_body(serve: Serve) -> None:
    log = MemoryLog()
    await record(log, "order-7", "processing")
    client = await serve(app_on(log))
    got = await client.get(GRAPH)
    head = await client.head(GRAPH)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "vary", "content-type", "content-length"):
        assert head.headers[name] == got.headers[name]
    known = {"if-none-match": got.headers["etag"]}
    assert (await client.head(GRAPH, headers=known)).status_code == 304


async def test_by_query_it_is_the_same(serve: Serve) -> None:
    log = MemoryLog()
    await record(log, "a/../b", "processing")
    client = await serve(app_on(log))
    params = {"task_id": "a/../b"}
    tag = (await client.get("/executions/graph", params=params)).headers["etag"]
    answer = await client.get("/executions/graph", params=params, headers={"if-none-match": tag})
    assert answer.status_code == 304


async def test_a_large_answer_comes_whole(serve: Serve) -> None:
    log = MemoryLog()
    await record(
        log, "order-7", *(f"step {number}" for number in range(3)), children=[f"c{n}" for n in range(2_000)]
    )
    client = await serve(app_on(log))
    answer = await client.get(GRAPH)
    assert len(answer.content) > 200_000
    assert len(answer.json()["nodes"]) == 2_004
    assert answer.headers["content-length"] == str(len(answer.content))
    assert (await client.head(GRAPH)).headers["content-length"] == str(len(answer.content))


def tags_of(*values: bytes) -> tuple[str, ...]:
    scope: dict[str, Any] = {"type": "http", "headers": [(b"if-none-match", value) for value in values]}
    return known_tags(Request(scope)).tags


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_whatever_is_sent_is_read_without_an_error(values: list[bytes]) -> None:
    assert len(tags_of(*values)) <= 16


@given(st.lists(st.text(st.characters(min_codepoint=0x23, max_codepoint=0x7E)), max_size=16), st.data())
def test_tags_are_read_whatever_is_in_them(tags: list[str], data: st.DataObject) -> None:
    written = [data.draw(st.sampled_from(('"{}"', 'W/"{}"'))).format(tag) for tag in tags]
    separator = data.draw(st.sampled_from((",", ", ", " , ", ",,", "\t,")))
    assert tags_of(separator.join(written).encode()) == tuple(tags)


def test_only_so_many_tags_are_looked_at() -> None:
    assert len(tags_of(b", ".join(b'"%d"' % number for number in range(100)))) == 16
