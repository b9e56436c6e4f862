"""Secrets planted in everything that a user hands to relayna, and how they would be spelled where they leaked.

Owns the places. Each secret is used once, so that whatever finds one knows where it was planted.
"""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["PLACES_A_TASK", "Planted", "Plants", "found_in"]

PLACES_A_TASK = 10

_SECRET = re.compile(rb"S[0-9a-f]{20}")
_ENCODED = re.compile(rb"[A-Za-z0-9+/_-]{28,}")
_STANDARD = bytes.maketrans(b"-_", b"+/")


class Plants:
    """Hands out secrets, and remembers where each went."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.planted: dict[str, str] = {}

    def secret(self, place: str) -> str:
        """One more, letters and digits only: nothing escapes them."""
        secret = f"S{self._chance.getrandbits(80):020x}"
        self.planted[secret] = place
        return secret

    def text(self, place: str) -> str:
        """A sentence, such as exceptions say, with a secret in it."""
        secret = self.secret(place)
        return self._chance.choice(
            [
                f"no answer from amqp://app:{secret}@mq:5672//",
                f"could not connect: postgresql+psycopg://app:{secret}@db/x?sslmode=require",
                f"GET https://api.example.org/v1/?api_key={secret}&page=2 gave 401",
                f"the upstream refused Bearer {secret}",
                f"login failed (user=app, password={secret})",
                f"{{'user': 'app', 'password': '{secret}'}} is not valid",
                f'{{"client_secret": "{secret}", "grant": "x"}}',
                f"Authorization: Digest username=app, response={secret}",
                f"Command '['mysql', '--password', '{secret}']' returned 1",
                f"<credentials><password>{secret}</password></credentials>",
                f"redis://:{secret}@cache:6379/0 is away",
                f"bad settings: credentials={{'a': ['{secret}']}}",
                f"Set-Cookie: session={secret}; HttpOnly",
            ]
        )

    def map(self, place: str) -> dict[str, Any]:
        """A map, such as payloads and metadata are, with a secret in it."""
        if self._chance.random() < 0.3:
            return {"note": self.text(place), "total": 7}
        secret = self.secret(place)
        return self._chance.choice(
            [
                {"password": secret, "total": 7},
                {"db": {"connectionString": secret, "pool": 3}},
                {"headers": {"Authorization": f"Bearer {secret}", "Accept": "*/*"}},
                {"headers": [["authorization", secret], ["accept", "*/*"]]},
                {"env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": secret}]},
                {"oauth": {"accessToken": secret, "max_tokens": 4096}},
                {"callback": f"https://app:{secret}@example.org/done"},
                {"deep": {"er": [{"apiKey": secret}]}},
                {"credentials": {"user": "app", "keys": [secret]}},
                {"raw": f'{{"private_key": "{secret}"}}'},
            ]
        )


class Planted(Exception):
    """What a handler raises."""


def found_in(sink: str, text: bytes, plants: Plants) -> Iterator[str]:
    """Which secrets stand there, in plain or in base64, and where they had been planted."""
    for secret in _secrets_in(text):
        place = plants.planted.get(secret)
        if place is not None:
            yield f"{place} -> {sink}"


def _secrets_in(text: bytes) -> Iterator[str]:
    yield from (match.decode() for match in _SECRET.findall(text))
    for run in _ENCODED.findall(text):
        for skipped in range(4):
            some = run[skipped:].translate(_STANDARD)
            decoded = base64.b64decode(some[: len(some) // 4 * 4])
            yield from (match.decode() for match in _SECRET.findall(decoded))
