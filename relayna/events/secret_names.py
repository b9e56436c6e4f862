"""Names that mark secrets: which keys of maps, headers and parameters have values that are nobody's business.

Owns the usual words and the rule by which a name is one of them. Hides nothing. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["DEFAULT_REDACT_WORDS", "SecretNames"]

DEFAULT_REDACT_WORDS: Final = (
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "jwt", "otp",
    "authorization", "credential", "cookie", "api_key", "access_key", "account_key", "private_key", "secret_key",
    "signing_key", "encryption_key", "connection_string",
)  # fmt: skip
"""Beside these, what whoever runs relayna adds."""

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN: Final = re.compile(r"[\W_]+")
_LONG_WORD: Final = 5
_LONGEST_NAME: Final = 256
_MOST_REMEMBERED: Final = 4_096


class SecretNames:
    """A name is one of these when it has one of the words in it, as a whole word and whatever its spelling.

    Humps, dashes, dots and the like divide words. A word of five letters or more may also end another one.

    >>> names = SecretNames(["token", "api_key"])
    >>> [name for name in ("accessToken", "X-Api-Key", "authtoken", "tokenizer", "max_tokens") if name in names]
    ['accessToken', 'X-Api-Key', 'authtoken', 'max_tokens']
    """

    def __init__(self, words: Iterable[str] = DEFAULT_REDACT_WORDS) -> None:
        self.words: tuple[str, ...] = tuple(dict.fromkeys(filter(None, map(_spelled, words))))
        """In small letters, their parts joined by `_`."""
        self.stems: tuple[str, ...] = tuple(
            dict.fromkeys(max(word.split("_"), key=len) for word in self.words)
        )
        """A text without any of these, in small letters, names none."""
        self._pattern = _pattern_of(self.words)
        self._remembered: dict[str, bool | None] = {}

    def __contains__(self, name: str) -> bool:
        """Whether its value is a secret."""
        return self._found(name) is not None

    def marks(self, name: str, value: object) -> bool:
        """Whether this value of that name is a secret: a number of tokens is none."""
        plural = self._found(name)
        return plural is False or (plural is True and not _is_number(value))

    def _found(self, name: str) -> bool | None:
        """Whether the word stands there in the plural; none where there is none of the words."""
        if name in self._remembered:
            return self._remembered[name]
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()  # whoever makes up names without end must not fill our memory
        match = self._pattern.search(_spelled(name)) if self._pattern else None
        found = None if match is None else bool(match[1])
        if len(name) <= _LONGEST_NAME:
            self._remembered[name] = found
        return found


def _spelled(name: str) -> str:
    return _BETWEEN.sub("_", _HUMP.sub("_", name)).strip("_").lower()


def _pattern_of(words: tuple[str, ...]) -> re.Pattern[str] | None:
    if not words:
        return None
    short = [_loose(word) for word in words if len(word) < _LONG_WORD]
    long = [_loose(word) for word in words if len(word) >= _LONG_WORD]
    choices = [*short, *([f"[^_]*(?:{'|'.join(long)})"] if long else [])]
    return re.compile(rf"(?:^|_)(?:{'|'.join(choices)})(s)?\d*(?:_|$)")


def _loose(word: str) -> str:
    return "_?".join(map(re.escape, word.split("_")))  # `apikey` is `api_key`


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
