"""Secrets in free text, such as messages of exceptions: found by their look or by the name before them, and hidden.

Owns what secrets look like. A text that holds none is handed back as it is, and that is quickly seen. Pure;
never raises on data; masking twice changes nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from relayna.events.secret_names import SecretNames

__all__ = ["LONGEST_MASKED", "REDACTED", "mask_text"]

REDACTED: Final = "[redacted]"

LONGEST_MASKED: Final = 16 * 1024
"""Characters; no more is kept of a text, for nobody has looked through the rest."""

_KEY_SHAPES: Final = tuple(
    (hint, re.compile(pattern, re.DOTALL))
    for hint, pattern in (
        ("-----BEGIN ", r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}-----|\Z)"),
        ("eyJ", r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{4,}(?:\.[\w-]*)?"),  # a JSON Web Token
        ("AKIA", r"AKIA[0-9A-Z]{16}"),
        ("ASIA", r"ASIA[0-9A-Z]{16}"),
        ("AIza", r"AIza[\w-]{30,}"),
        ("gh", r"gh[pousr]_[A-Za-z0-9]{20,}"),
        ("github_pat_", r"github_pat_\w{20,}"),
        ("glpat-", r"glpat-[\w-]{16,}"),
        ("xox", r"xox[abeoprs]-[\w-]{10,}"),
        ("sk-", r"sk-(?<=\bsk-)[\w-]{20,}"),
        ("k_live_", r"[rs]k_live_\w{16,}"),
    )
)
"""Beginnings by which a text is quickly seen to have none, and what secrets of that kind look like."""
_BEARER: Final = re.compile(r"\b(bearer\s{1,4})[^\s\"',;]{3,}", re.IGNORECASE)
_BASIC: Final = re.compile(r"\b(basic\s{1,4})([A-Za-z0-9+/_-]{6,}={0,2})", re.IGNORECASE)
_URL: Final = re.compile(r"://[^\s'\"<>]+")
_PORT: Final = re.compile(r"[^/@:\[\]]*:\d{1,5}[/?#]|\[[0-9A-Fa-f:.]*\](?::\d{1,5})?[/?#]")
_NAMED: Final = re.compile(r"(?<![\w.-])([\w.-]{1,128})(\\{0,7}[\"']?\s{0,8}(?::(?!//)|=>?)\s{0,8})")
_SEPARATOR: Final = re.compile(r"\s{0,8}(?::(?!//)|=>?)\s{0,8}")
_OPTION: Final = re.compile(r"(--([\w-]{1,128})(?:\s{1,4}|[\"'],\s{0,4}[\"']))([^\s\"']+)")
_ELEMENT: Final = re.compile(r"(<([\w:.-]{1,128})(?:\s[^<>]{0,1000})?>)([^<]+)")
_VALUE: Final = re.compile(
    r"""\[redacted\]
    | [bru]?"(?:[^"\\]|\\.|\\\Z)*+(?:"|\Z)
    | [bru]?'(?:[^'\\]|\\.|\\\Z)*+(?:'|\Z)
    | (\\{1,7}["']).*?(?:\1|\Z)
    | [^\s,;&"'<>)\]}\[{(][^\s,;&"'<>)\]}]*""",
    re.DOTALL | re.VERBOSE,
)
_BRACKETS: Final = re.compile(r""""(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|([\[{(])|([)\]}])""", re.DOTALL)
_REST_OF_LINE: Final = re.compile(r"[^\r\n\"']+")
_WHOLE_LINES: Final = SecretNames(["authorization", "cookie"])
"""As HTTP writes them: their values have spaces."""


def mask_text(text: str, names: SecretNames) -> str:
    """The text with its secrets replaced: credentials in URLs, tokens, keys, and values that a name goes before.

    >>> mask_text("no answer from amqp://app:hunter2@mq/ (token=abc)", SecretNames())
    'no answer from amqp://[redacted]@mq/ (token=[redacted])'
    """
    if len(text) > LONGEST_MASKED:
        text = f"{text[:LONGEST_MASKED]}… [cut: {len(text)} characters]"
    if _may_hold_key(text):
        for hint, shape in _KEY_SHAPES:
            if hint in text:
                text = shape.sub(REDACTED, text)
    if not _may_name_one(text):
        return text
    lowered = text.lower()
    if "bearer" in lowered:
        text = _BEARER.sub(rf"\1{REDACTED}", text)
    if "basic" in lowered:
        text = _BASIC.sub(_basic, text)
    if "://" in text:
        text = _URL.sub(_url, text)
    if any(stem in lowered for stem in names.stems):
        text = _mask_named(text, names)
    return text


# Spelled out, for these are asked for every text that is recorded, and most texts have none of them.
def _may_hold_key(text: str) -> bool:
    return (
        "eyJ" in text or "-----B" in text or "AKIA" in text or "ASIA" in text or "AIza" in text or "gh" in text
        or "glpat-" in text or "xox" in text or "sk-" in text or "k_live_" in text
    )  # fmt: skip


def _may_name_one(text: str) -> bool:
    return (
        ":" in text or "=" in text or "--" in text or "<" in text
        or "earer " in text or "EARER " in text or "asic " in text or "ASIC " in text
    )  # fmt: skip


def _basic(match: re.Match[str]) -> str:
    """Only what decodes to a name and a password: `basic` is a word, too."""
    try:
        decoded = base64.b64decode(
            match[2] + "=" * (-len(match[2]) % 4), altchars=b"-_" if "_" in match[2] else None
        )
    except binascii.Error:
        return match[0]
    return f"{match[1]}{REDACTED}" if b":" in decoded else match[0]


def _url(match: re.Match[str]) -> str:
    before, at, rest = match[0].removeprefix("://").rpartition("@")
    if not at or ("/" in before and (":" not in before.partition("/")[0])) or _PORT.match(before):
        return match[0]  # a path may have an @, too
    return f"://{REDACTED}@{rest}"


def _mask_named(text: str, names: SecretNames) -> str:
    text = _masked_values(text, names)
    if "--" in text:
        text = _OPTION.sub(lambda match: _masked_after(match, names), text)
    if "<" in text:
        text = _ELEMENT.sub(lambda match: _masked_after(match, names), text)
    return text


def _masked_after(match: re.Match[str], names: SecretNames) -> str:
    return f"{match[1]}{REDACTED}" if match[2] in names else match[0]


def _masked_values(text: str, names: SecretNames) -> str:
    """With what follows a name and `=` or `:`, up to the bracket's end where one opens there."""
    pieces: list[str] = []
    position = 0
    for match in _NAMED.finditer(text):
        if match.start() < position or match[1] not in names:
            continue
        end = _value_end(text, match)
        value = text[match.end() : end]
        if not value or not names.marks(match[1], _number_or_text(value)):
            continue
        pieces += (text[position : match.end()], _hidden(value))
        position = end
    pieces.append(text[position:])
    return "".join(pieces)


def _value_end(text: str, named: re.Match[str]) -> int:
    start = named.end()
    if named[1] in _WHOLE_LINES and named[2].strip() == ":":
        line = _REST_OF_LINE.match(text, start)
        if line is not None:
            return line.end()
    end = _one_value_end(text, start)
    # What looks like a value may be the next name: `secret= "password": "…"`.
    while end > start and (separator := _SEPARATOR.match(text, end)):
        start, end = separator.end(), _one_value_end(text, separator.end())
    return end


def _one_value_end(text: str, start: int) -> int:
    value = _VALUE.match(text, start)
    if value is not None:
        return value.end()
    return _closed(text, start) if text[start : start + 1] in ("[", "{", "(") else start


def _closed(text: str, start: int) -> int:
    """Behind the bracket that closes the one at `start`; the text's end where none does."""
    depth = 0
    for bracket in _BRACKETS.finditer(text, start):
        depth += (bracket[1] is not None) - (bracket[2] is not None)
        if depth == 0:
            return bracket.end()
    return len(text)


def _number_or_text(value: str) -> object:
    return int(value) if len(value) < 20 and value.isdecimal() else value


def _hidden(value: str) -> str:
    """The mark in the quotes that the value had, so that JSON and the like stay what they are."""
    quote = re.match(r"[bru]?(\\{0,7}[\"'])", value)
    return REDACTED if quote is None else f"{quote[0]}{REDACTED}{quote[1]}"
