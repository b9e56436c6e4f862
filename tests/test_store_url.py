"""URLs of stores: what they say, what is refused, and that no error and nothing shown repeats a secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.errors import InvalidSetting
from relayna.settings import load_settings, masked
from relayna.store_url import Endpoint, masked_store_url, parse_store_url

SECRET = "swordfish"


@pytest.mark.parametrize(
    "url", ["redis://cache", f"rediss://:{SECRET}@cache/1", "unix:///run/redis.sock?db=1"]
)
def test_one_server_is_left_to_the_driver(url: str) -> None:
    said = parse_store_url(url)
    assert (said.kind, said.plain, said.endpoints) == ("single", url, ())


@pytest.mark.parametrize(
    ("url", "endpoints", "plain"),
    [
        ("redis+cluster://a", [("a", 6379)], "redis://a:6379/0"),
        ("redis+cluster://a:7000,b:7001,a:7000/", [("a", 7000), ("b", 7001)], "redis://a:7000/0"),
        ("rediss+cluster://u:p%2Fw@a/0", [("a", 6379)], "rediss://u:p%2Fw@a:6379/0"),
        ("redis+cluster://[::1]:7000,[fe80::1]", [("::1", 7000), ("fe80::1", 6379)], "redis://[::1]:7000/0"),
        ("redis+cluster://a?socket_timeout=3", [("a", 6379)], "redis://a:6379/0?socket_timeout=3"),
    ],
)
def test_a_cluster_is_named_by_some_of_its_nodes(
    url: str, endpoints: list[tuple[str, int]], plain: str
) -> None:
    said = parse_store_url(url)
    assert (said.kind, said.plain) == ("cluster", plain)
    assert list(said.endpoints) == [Endpoint(*endpoint) for endpoint in endpoints]


def test_sentinels_are_named_with_the_service_that_they_watch() -> None:
    said = parse_store_url(
        "rediss+sentinel://u:p@s1,s2:7000/my%20orders/3?sentinel_password=x&socket_timeout=3"
    )

    assert (said.kind, said.service) == ("sentinel", "my orders")
    assert said.endpoints == (Endpoint("s1", 26379), Endpoint("s2", 7000))
    assert said.plain == "rediss://u:p@s1:26379/3?socket_timeout=3"
    assert said.sentinel_options == {"password": "x"}
    assert said.shown == "rediss+sentinel://***@s1:26379,s2:7000/my%20orders/3"


WRONG = [
    ("", "begins with none of"),
    ("cache:6379", "begins with none of"),
    (f"http://:{SECRET}@cache", "begins with none of"),
    (f"unix+cluster://:{SECRET}@cache", "begins with none of"),
    ("redis+cluster://", "come hosts"),
    (f"redis+cluster://:{SECRET}@", "come hosts"),
    (f"redis+cluster://:{SECRET}/x@a:7000", "come hosts"),
    (f"redis+cluster://:{SECRET}@a:port", "come hosts"),
    ("redis+cluster://a:0", "come hosts"),
    ("redis+cluster://a:65536", "come hosts"),
    ("redis+cluster://a,,b", "come hosts"),
    (f"redis+cluster://:{SECRET}@a/1", "database 0 only"),
    (f"redis+cluster://:{SECRET}@a?db=1", "database 0 only"),
    (f"redis+cluster://a?sentinel_password={SECRET}", "sentinel_username and sentinel_password"),
    (f"redis+sentinel://:{SECRET}@a", "names no service"),
    (f"redis+sentinel://:{SECRET}@a//1", "names no service"),
    (f"redis+sentinel://:{SECRET}@a/orders/first", "not a number"),
    (f"redis+sentinel://a/orders?sentinel_db={SECRET}", "sentinel_username and sentinel_password"),
]


@pytest.mark.parametrize(("url", "problem"), WRONG)
def test_a_wrong_one_is_refused_with_the_settings_name_and_without_its_secrets(
    url: str, problem: str
) -> None:
    with pytest.raises(InvalidSetting, match=problem) as caught:
        load_settings({"redis_url": url}, environment={})

    assert (caught.value.name, caught.value.source) == ("redis_url", "argument")
    assert SECRET not in str(caught.value)


def test_the_settings_say_where_it_came_from() -> None:
    with pytest.raises(InvalidSetting, match="RELAYNA_REDIS_URL"):
        load_settings(environment={"RELAYNA_REDIS_URL": "redis+sentinel://a"})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis+cluster://u:{SECRET}@a,b:7000", "redis+cluster://***@a,b:7000"),
        (
            f"redis+sentinel://a/s?sentinel_password={SECRET}&db=1",
            "redis+sentinel://a/s?sentinel_password=***&db=1",
        ),
        (f"redis://a?password={SECRET}@x", "redis://a?password=***"),
        (f"redis://:{SECRET}?{SECRET}@a", "redis://***@a"),
        ("none", "none"),
    ],
)
def test_what_is_shown_has_no_secrets(url: str, shown: str) -> None:
    assert masked_store_url(url) == shown
    assert masked("redis_url", url) == shown


@given(
    st.text(max_size=60), st.sampled_from(["", "redis+cluster://", "redis+sentinel://", "rediss+cluster://"])
)
def test_any_text_is_read_or_refused(text: str, scheme: str) -> None:
    try:
        said = parse_store_url(scheme + text)
    except InvalidSetting:
        return
    assert said.kind == "single" or all(0 < endpoint.port < 65_536 for endpoint in said.endpoints)
