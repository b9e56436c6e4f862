"""Which names mark secrets, in every spelling that people have for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.events.secret_names import DEFAULT_REDACT_WORDS, SecretNames

USUAL = SecretNames()


@pytest.mark.parametrize(
    "name",
    [
        "password", "PASSWORD", "db_password", "dbPassword", "DB-Password-2", "dbpassword", "user.password", "passwords",
        "accessToken", "access_token", "ACCESS_TOKEN", "authtoken", "refresh-token", "csrfToken", "token2",
        "Authorization", "proxy-authorization", "Cookie", "Set-Cookie", "X-Api-Key", "apikey", "APIKey", "api key",
        "awsSecretAccessKey", "AccessKeyId", "private_key", "privateKeyPem", "client_secret", "clientSecret",
        "credentials", "google.credential", "storage_account_key", "PGPASSWORD", "passwd", "pwd", "jwt", "otp",
    ],
)  # fmt: skip
def test_secrets_have_many_names(name: str) -> None:
    assert name in USUAL
    assert USUAL.marks(name, "hunter2")


@pytest.mark.parametrize(
    "name",
    [
        "", "total", "tokenizer", "tokenize", "secretary", "passwordless", "author", "authored_by", "key", "api",
        "api_version", "keyboard", "cookies_enabled_by", "passport", "compass", "monkey", "otpimal", "public_key",
        "x-relayna-cause", "x-relayna-session-id", "message_id", "stage", "jwts_seen_at",
    ],
)  # fmt: skip
def test_other_names_stay(name: str) -> None:
    if name in ("cookies_enabled_by", "jwts_seen_at"):
        assert name in USUAL  # rather one too many
    else:
        assert name not in USUAL
        assert not USUAL.marks(name, "value")


@pytest.mark.parametrize("name", ["max_tokens", "prompt_tokens", "totalTokens"])
def test_a_number_of_them_is_no_secret(name: str) -> None:
    assert not USUAL.marks(name, 4_096)
    assert not USUAL.marks(name, 0.5)
    assert USUAL.marks(name, ["hunter2"])
    assert USUAL.marks(name, True)


def test_a_number_may_be_a_secret() -> None:
    assert USUAL.marks("password", 1234)


def test_one_s_own_words_in_any_language() -> None:
    names = SecretNames(["Passwort", "ssn", "пароль", "id card"])
    assert [name in names for name in ("kundenPasswort", "ssn", "mission", "пароль_базы", "idCard", "ID-Card-3")] == [
        True, True, False, True, True, True,
    ]  # fmt: skip
    assert "password" not in names


def test_no_words_mark_nothing() -> None:
    assert "password" not in SecretNames(["", "--"])


@given(word=st.sampled_from(DEFAULT_REDACT_WORDS), before=st.text("abcXYZ_-. 09", max_size=8))
def test_each_word_is_found_behind_a_divider(word: str, before: str) -> None:
    for spelled in (word, word.upper(), word.replace("_", "-"), word.replace("_", "")):
        assert f"{before}_{spelled}" in USUAL


@given(name=st.text(st.characters()))
def test_any_name_has_an_answer_that_does_not_change(name: str) -> None:
    names = SecretNames()
    assert (name in names) is (name in names)


def test_names_without_end_are_not_all_remembered() -> None:
    names = SecretNames()
    for number in range(10_000):
        assert f"name {number}" not in names
    assert len(names._remembered) <= 4_096
