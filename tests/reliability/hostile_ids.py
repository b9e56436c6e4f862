"""Task ids that mean something to whoever looks at them carelessly: to key grammars, URLs, shells, people.

Owns the kinds, and how they are mixed. Every id comes with its siblings: other spellings of the same, which are
other ids.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from itertools import chain
from urllib.parse import quote, unquote

from relayna.ids import TaskId
from relayna.streams.keys import KeyGrammar, TaskAddress, encode_task_id

__all__ = ["hostile_task_ids", "is_storable"]

_BRACKETS = ("{", "}", "{}", "}{", "{x}", "}x", "{0}", "[", "]", "(", ")", "<", ">", "\uff5b", "\u27e8")
_GRAMMAR = ("%", "%25", "%7B", "%2F", "%00", "%u", "~", "%7E", ":", "::", ":events", ":feed", "@", "default~")
_PATHS = ("/", "\\", ".", "..", "a/b", "*", "?", "#", "&", "$(x)", "`x`", "'", '"', ";", "--", "=")
_SPACES = (
    " ",
    "\t",
    "\n",
    "\r\n",
    "\0",
    "\x7f",
    "\u00a0",
    "\u0085",
    "\u2028",
    "\u200b",
    "\u200d",
    "\ufeff",
    "\u00ad",
)
_DIRECTIONS = ("\u200e", "\u200f", "\u202a", "\u202e", "\u202c", "\u2066", "\u2069", "\u05d0", "\u0627")
_ASTRAL = ("\U0001f47b", "\U0001d400", "\U0010ffff", "\U000e0001", "\ufffd", "\uffff")
_COMBINING = ("e\u0301", "\u00e9", "\u1e9b\u0323", "\u1100\u1161", "\uac00", "\u0301", "\u212b", "\ufb01")
_CASES = (
    "a",
    "A",
    "task",
    "TASK",
    "\u00df",
    "\u1e9e",
    "ss",
    "\u0131",
    "\u0130",
    "\u212a",
    "\u03c2",
    "\u03c3",
)
_NUMBERS = (
    "0",
    "1",
    "01",
    "-0",
    "+1",
    "1.0",
    "1e0",
    "0x1",
    "1_0",
    "\uff11",
    "\u0661",
    "NaN",
    "null",
    "None",
    "true",
)
_SURROGATES = ("\ud800", "\udfff", "\ud83d\udc7b", "\udc7b\ud83d", "a\ud800", "\udcff")
_STORABLE = tuple(
    chain(_BRACKETS, _GRAMMAR, _PATHS, _SPACES, _DIRECTIONS, _ASTRAL, _COMBINING, _CASES, _NUMBERS)
)

_LONG = 10_240


def hostile_task_ids(count: int, chance: random.Random) -> list[str]:
    """So many distinct ids: each kind by itself, its siblings, then mixtures and theirs. One is empty."""
    found = dict.fromkeys(["", *_STORABLE, *_SURROGATES])
    for mixture in _mixtures(chance):
        found.update(dict.fromkeys(_siblings(mixture)))
        if len(found) >= count:
            return list(found)[:count]
    raise AssertionError("mixtures have no end")


def is_storable(task_id: str) -> bool:
    """Whether UTF-8 can hold it."""
    return not any(unicodedata.category(character) == "Cs" for character in task_id)


def _mixtures(chance: random.Random) -> Iterator[str]:
    while True:
        kinds = _STORABLE if chance.random() < 0.9 else _STORABLE + _SURROGATES
        mixture = "".join(chance.choices(kinds, k=chance.randint(1, 6)))
        if chance.random() < 0.1:  # ids that differ at their very end
            long = (mixture * _LONG)[:_LONG]
            yield from (long, f"{long}}}", f"{long[:-1]}")
        else:
            yield mixture


def _siblings(task_id: str) -> Iterator[str]:
    """What a careless reader might take for the same id, or for its key."""
    yield task_id
    yield from (task_id.lower(), task_id.upper(), task_id.casefold(), task_id.strip())
    yield from (f"{task_id} ", f"{task_id}\n", f"{task_id}\0", f"\u200f{task_id}", f"{{{task_id}}}")
    if is_storable(task_id):
        yield from (unicodedata.normalize(form, task_id) for form in ("NFC", "NFD", "NFKC", "NFKD"))
        yield from (quote(task_id, safe=""), unquote(task_id), encode_task_id(TaskId(task_id)))
        yield KeyGrammar().events(TaskAddress(TaskId(task_id)))
