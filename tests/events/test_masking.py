"""Secrets in free text are hidden, whatever is around them; everything else stays as it is."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.events.masking import LONGEST_MASKED, mask_text
from relayna.events.secret_names import SecretNames

NAMES = SecretNames()
SECRET = "hunter2hunter2"

LEAKS = [
    "password=SECRET",
    "failed: password = SECRET, user=app",
    "{'password': 'SECRET', 'a': 1}",
    '{"db": {"password": "SECRET"}}',
    '{"password":"SEC\\"RET SECRET"}',
    '{\\"password\\": \\"SECRET\\", \\"b\\": 1}',
    "Config(host='db', password='SECRET')",
    'headers={"Authorization": "Bearer SECRET"}',
    "Authorization: Digest username=app, response=SECRET\r\nHost: a",
    "Cookie: session=SECRET; other=SECRET",
    "401 for Bearer SECRET",
    "curl -H 'x-api-key: SECRET'",
    "redis://:SECRET@cache:6379/0 is away",
    "amqp://app:SECRET@mq//",
    "amqp://app:a/SECRET@mq/vhost",
    "https://SECRET@example.org/x.git",
    "postgresql+psycopg://app:SECRET@db/x?sslmode=require",
    "https://example.org/?token=SECRET&page=2",
    "mysql --password SECRET -h db",
    "['mysql', '--password', 'SECRET']",
    "PGPASSWORD=SECRET psql",
    "<password>SECRET</password>",
    "<db:Password type='x'>SECRET</db:Password>",
    "credentials: {'user': 'app', 'list': ['SECRET', 'SECRET']}",
    "secrets = [SECRET, (SECRET)",
    "token => SECRET",
    'secret= "password": "SECRET"',
    "dsn 'host=x password=SECRET user=y'",
    "-----BEGIN RSA PRIVATE " + "KEY-----\nSECRET\n-----END RSA PRIVATE " + "KEY-----",
    "-----BEGIN PRIVATE " + "KEY-----\nSECRET",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJSECRET.SECRET",
    "gh" + "p_SECRETSECRETSECRETSECRETSECRET",
]

HARMLESS = [
    "", "step 3", "KeyError: 'total'", "KeyError: 'password'", "the handler took over 30 s", "12:30:00 is late",
    "https://example.org:8080/a/b?c=d", "https://medium.com/@user/post", "http://host:80/p/@u", "Basic usage: a=b",
    "max_tokens=4096 exceeded", "tokens: 12", "authored by: me", "a token is missing", "x-relayna-cause: a.1",
    "http://[::1]:80/@x", "the password was wrong", "{'total': 7, 'stage': 'resize'}",
]  # fmt: skip


@pytest.mark.parametrize("text", LEAKS)
def test_secrets_are_hidden(text: str) -> None:
    masked = mask_text(text.replace("SECRET", SECRET), NAMES)
    assert SECRET not in masked
    assert "[redacted]" in masked
    assert mask_text(masked, NAMES) == masked


@pytest.mark.parametrize(
    "text",
    [
        "amqp://app:12345@mq/",
        "redis://:12345@h:6379/0",
        "amqp://app:12345@mq:5672/%2f failed",
        'password="12345\\',
        "password='12345\\",
    ],
)
def test_short_and_unended_passwords_are_hidden_too(text: str) -> None:
    assert "12345" not in mask_text(text, NAMES)


def test_a_port_is_no_password() -> None:
    text = "http://mq:5672/path/user@example"
    assert mask_text(text, NAMES) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask_text(text, NAMES) == text


def test_a_basic_authorization_is_told_from_the_word() -> None:
    encoded = base64.b64encode(b"app:hunter2").decode()
    assert mask_text(f"sent Basic {encoded}", NAMES) == "sent Basic [redacted]"
    assert mask_text("a Basic mistake", NAMES) == "a Basic mistake"


def test_what_is_around_a_secret_stays() -> None:
    text = '{"a": 1, "password": "x", "b": [2], "credentials": {"k": "x"}, "c": 3}'
    expected = '{"a": 1, "password": "[redacted]", "b": [2], "credentials": [redacted], "c": 3}'
    assert mask_text(text, NAMES) == expected


def test_a_very_long_text_ends_where_nobody_has_looked() -> None:
    masked = mask_text("x" * LONGEST_MASKED + f" password={SECRET}", NAMES)
    assert SECRET not in masked
    assert masked.endswith(f"… [cut: {LONGEST_MASKED + 10 + len(SECRET)} characters]")


@pytest.mark.parametrize(
    "piece",
    ["://", "a", "password", "--x ", "<a ", "password='\\", "token: [", "{", "eyJ", "bearer ", "-----BEGIN "],
)
def test_long_texts_of_one_piece_end(piece: str) -> None:
    mask_text(piece * 20_000, NAMES)


texts = st.text(st.characters()) | st.lists(
    st.sampled_from(
        ["password", "token", "=", ":", " ", '"', "'", "\\", "{", "}", "[", "]", "://", "@", "a", "[redacted]", "Bearer ",
         "Basic ", "--", "<", ">", "\n", "Authorization", ",", "(", ")"]
    )
).map("".join)  # fmt: skip


@given(text=texts)
def test_any_text_can_be_masked_and_once_is_enough(text: str) -> None:
    masked = mask_text(text, NAMES)
    assert mask_text(masked, NAMES) == masked


@given(before=texts, name=st.sampled_from(["password", "api_key", "clientSecret"]), after=texts)
def test_a_named_secret_is_hidden_wherever_it_stands(before: str, name: str, after: str) -> None:
    assert SECRET not in mask_text(f"{before} {name}={SECRET} {after}", NAMES)
    assert SECRET not in mask_text(f'{before} "{name}": "{SECRET}" {after}', NAMES)
