"""Settings: three sources, one order, and errors that say where the wrong value came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from relayna import settings
from relayna.errors import InvalidSetting
from relayna.settings import (
    Settings,
    amqp_url_for_tests,
    lineage_emits,
    lineage_live,
    lineage_reads,
    load_settings,
    masked,
    wants_colour,
)


def test_defaults_come_from_nowhere_else() -> None:
    effective = load_settings(environment={})
    assert effective.settings == Settings()
    assert set(effective.sources.values()) == {"default"}
    assert set(effective.sources) == set(Settings.__struct_fields__)


def test_file_then_environment_then_argument(tmp_path: Path) -> None:
    file = tmp_path / "relayna.toml"
    file.write_text('prefix = "from-file"\nport = 1\nhost = "::1"\n', encoding="utf-8")
    environment = {"RELAYNA_PORT": "2", "RELAYNA_HOST": "127.0.0.2"}
    effective = load_settings({"host": "localhost", "tenant": None}, environment=environment, file=file)
    assert effective.settings.prefix == "from-file"
    assert effective.settings.port == 2
    assert effective.settings.host == "localhost"
    assert effective.sources["prefix"] == f"file {file}"
    assert effective.sources["port"] == "environment RELAYNA_PORT"
    assert effective.sources["host"] == "argument"
    assert effective.sources["tenant"] == "default"


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "relayna.toml"
    file.write_text('redact_keys = ["token"]\n', encoding="utf-8")
    effective = load_settings(environment={"RELAYNA_CONFIG": str(file)})
    assert effective.settings.redact_keys == ("token",)


def test_a_list_in_the_environment_has_commas() -> None:
    effective = load_settings(environment={"RELAYNA_REDACT_KEYS": "password, token,"})
    assert effective.settings.redact_keys == ("password", "token")


def test_an_empty_variable_is_not_set() -> None:
    assert load_settings(environment={"RELAYNA_PORT": ""}).sources["port"] == "default"


@pytest.mark.parametrize(("value", "allowed"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_writes_are_off_unless_they_are_allowed(value: str, allowed: bool) -> None:
    assert not Settings().allow_writes
    assert load_settings(environment={"RELAYNA_ALLOW_WRITES": value}).settings.allow_writes is allowed


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("RELAYNA_ALLOW_WRITES", "yes, please", "allow_writes"),
        ("RELAYNA_PORT", "many", "port"),
        ("RELAYNA_PORT", "70000", "port"),
        ("RELAYNA_RETENTION_SECONDS", "0", "retention_seconds"),
        ("RELAYNA_SHARD_COUNT", "-1", "shard_count"),
    ],
)
def test_a_wrong_value_names_the_setting_and_its_source(variable: str, value: str, name: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        load_settings(environment={variable: value})
    assert caught.value.name == name
    assert caught.value.source == f"environment {variable}"


def test_an_unknown_name_in_the_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "relayna.toml"
    file.write_text("prefx = 'typo'\n", encoding="utf-8")
    with pytest.raises(InvalidSetting, match="no such setting"):
        load_settings(environment={}, file=file)


@pytest.mark.parametrize("content", [b"not = = toml", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "relayna.toml"
    file.write_bytes(content)
    with pytest.raises(InvalidSetting, match="cannot be read"):
        load_settings(environment={}, file=file)
    with pytest.raises(InvalidSetting, match="cannot be read"):
        load_settings(environment={}, file=tmp_path / "none.toml")


def test_credentials_of_urls_are_masked() -> None:
    assert masked("redis_url", "redis://:p@ss@host/1") == "redis://***@host/1"
    assert masked("redis_url", "redis://host/1") == "redis://host/1"
    assert masked("redact_keys", ("a", "b")) == "a,b"


def test_colour_is_wanted_unless_it_is_not() -> None:
    assert wants_colour({})
    assert wants_colour({"NO_COLOR": "", "TERM": "xterm"})
    assert not wants_colour({"NO_COLOR": "1"})
    assert not wants_colour({"TERM": "dumb"})


def test_tests_have_a_broker_of_their_own() -> None:
    assert amqp_url_for_tests({"RELAYNA_TEST_AMQP_URL": "amqp://tests"}) == "amqp://tests"
    assert amqp_url_for_tests({"RELAYNA_TEST_AMQP_URL": "", "RELAYNA_AMQP_URL": "amqp://work"}) is None


@pytest.mark.parametrize(
    ("value", "on"), [("1", True), ("true", True), (" On ", True), ("", False), ("0", False), ("off", False)]
)
def test_lineage_is_switched_by_the_environment_alone(value: str, on: bool) -> None:
    assert lineage_reads({"RELAYNA_LINEAGE_READ": value}) is on
    assert lineage_emits({"RELAYNA_LINEAGE_EMIT": value}) is on
    assert lineage_live({"RELAYNA_LINEAGE_LIVE": value, "RELAYNA_LINEAGE_EMIT": "1"}) is on
    assert not lineage_live({"RELAYNA_LINEAGE_LIVE": value})
    assert not lineage_reads({})
    assert not lineage_emits({})


@pytest.mark.parametrize("value", ["maybe", "2", "yes, please"])
def test_a_word_that_switches_nothing_is_said_once(value: str, caplog: pytest.LogCaptureFixture) -> None:
    settings._means_on.cache_clear()
    for _ in range(3):
        assert not lineage_emits({"RELAYNA_LINEAGE_EMIT": value})
        assert not lineage_reads({"RELAYNA_LINEAGE_READ": "no"})
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert f"RELAYNA_LINEAGE_EMIT is off: {value!r} means nothing" in record.getMessage()


def test_lineage_may_be_kept_longer_for_some_tenants(tmp_path: Path) -> None:
    file = tmp_path / "relayna.toml"
    file.write_text("[lineage_retention_days_by_tenant]\nacme = 365\n", encoding="utf-8")
    assert load_settings(environment={}, file=file).settings.lineage_retention_days_by_tenant == {"acme": 365}
    environment = {"RELAYNA_LINEAGE_RETENTION_DAYS_BY_TENANT": "acme=365, beta = 30,"}
    settings = load_settings(environment=environment).settings
    assert settings.lineage_retention_days_by_tenant == {"acme": 365, "beta": 30}
    assert settings.lineage_retention_days == 90
    told = masked("lineage_retention_days_by_tenant", settings.lineage_retention_days_by_tenant)
    assert told == "acme=365,beta=30"


@pytest.mark.parametrize("spelled", ["acme", "acme=many", "acme=0", "acme=99999"])
def test_a_wrong_retention_of_a_tenant_is_reported_by_its_name(spelled: str) -> None:
    with pytest.raises(InvalidSetting, match="RELAYNA_LINEAGE_RETENTION_DAYS_BY_TENANT"):
        load_settings(environment={"RELAYNA_LINEAGE_RETENTION_DAYS_BY_TENANT": spelled})
