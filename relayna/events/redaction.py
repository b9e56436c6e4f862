"""What is hidden of a fact before it is stored: values by their keys, secrets in texts, bodies of dead letters.

Owns what redaction does to each kind of field. What marks a secret, `secret_names.py` and `masking.py` say. Pure;
never raises on data.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from relayna.events.cut import BODY_LIMIT_BYTES
from relayna.events.dead_letter import DeadLetterRecorded
from relayna.events.masking import LONGEST_MASKED, REDACTED, mask_text
from relayna.events.secret_names import DEFAULT_REDACT_WORDS, SecretNames
from relayna.events.vocabulary import EVENT_TYPES

__all__ = ["DEFAULT_REDACTION", "Redact", "Redaction", "masked_by", "redact_keys", "redacted", "redaction_of"]

Redact: TypeAlias = Callable[[str, object], object]
"""Given a key of a free-form map, at any depth, and its value: what to store instead. A `Redaction` is one, and
sees to texts and bodies as well; any other function decides of maps alone."""

_TEXTS: Final = ("message", "reason", "exception_message", "problem", "label", "traceback")
_DEPTH_LIMIT: Final = 64
_SHORT_TEXT: Final = 64
_MOST_REMEMBERED: Final = 4_096
_UTF_8: Final = codecs.getincrementaldecoder("utf-8")
_UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)

StructT = TypeVar("StructT", bound=Struct)


def _text_fields(event_type: type[Struct]) -> tuple[str, ...]:
    return tuple(name for name in _TEXTS if name in event_type.__struct_fields__)


_TEXT_FIELDS: Final = {event_type: _text_fields(event_type) for event_type, _ in EVENT_TYPES}


class Redaction:
    """Hides values whose keys have one of the words, and secrets in texts; `relayna.events.secret_names` has the rule.

    Bodies of dead letters lose their secrets too, and cannot be replayed from the record then (docs/decisions/0014).
    With `bodies=False` they are stored whole, for whoever may read the store.
    """

    def __init__(self, words: Iterable[str] = DEFAULT_REDACT_WORDS, *, bodies: bool = True) -> None:
        self.names = SecretNames(words)
        self.bodies = bodies
        self._clean: set[str] = set()  # the same reasons, ids and header values come again and again

    def __call__(self, key: str, value: object) -> object:
        """The value, or what stands for it. Looks no deeper: every key of a map is asked for."""
        if not self.names.marks(key, value) or (isinstance(value, str) and value == REDACTED):
            return value
        return REDACTED

    def text(self, text: str) -> str:
        """The text without secrets; its beginning, when it is very long."""
        if len(text) > _SHORT_TEXT:
            return mask_text(text, self.names)
        if text in self._clean:
            return text
        masked = mask_text(text, self.names)
        if masked == text:
            if len(self._clean) >= _MOST_REMEMBERED:
                self._clean.clear()
            self._clean.add(text)
        return masked

    def name(self, name: str) -> str:
        """A key without secrets: URLs are keys of some maps."""
        return self.text(name) if "://" in name or "=" in name else name

    def inside(self, value: Any, depth: int = 0) -> Any:  # Any: JSON values
        """A JSON value without secrets; the very same object when it holds none."""
        if isinstance(value, str):
            masked = self.text(value)
            return value if masked == value else masked
        if not isinstance(value, dict | list):
            return value
        if depth >= _DEPTH_LIMIT:
            return REDACTED  # nobody has looked there
        unpaired = self.unpaired(value)
        if isinstance(unpaired, dict):
            inner = {
                self.name(name): self.inside(self(name, item), depth + 1) for name, item in unpaired.items()
            }
            return inner if unpaired is not value or _differs(inner, value) else value
        items = [self.inside(item, depth + 1) for item in unpaired]
        changed = unpaired is not value or any(a is not b for a, b in zip(items, value, strict=True))
        return items if changed else value

    def unpaired(self, value: Any) -> Any:  # Any: whatever stands in a map
        """The value; of a list of a name and its value, and of an object with both, one without the secret.

        >>> Redaction().unpaired(["authorization", "hunter2"]), Redaction().unpaired({"name": "pwd", "value": "x"})
        (['authorization', '[redacted]'], {'name': 'pwd', 'value': '[redacted]'})
        """
        if isinstance(value, list | tuple):
            if len(value) == 2 and isinstance(value[0], str | bytes):
                name, item = value
                hidden = self(name if isinstance(name, str) else name.decode(errors="replace"), item)
                return value if hidden is item else [name, hidden]
        elif isinstance(value, dict) and "value" in value:
            named = value.get("name", value.get("key"))
            if isinstance(named, str):
                hidden = self(named, value["value"])
                return value if hidden is value["value"] else {**value, "value": hidden}
        return value


DEFAULT_REDACTION: Final = Redaction()
"""The usual words, everywhere."""


def redact_keys(keys: Iterable[str]) -> Redaction:
    """What hides the values of keys that have one of these words in them, and of no others.

    >>> redact_keys(["password"])("DB_Password", "hunter2")
    '[redacted]'
    """
    return Redaction(keys)


def redaction_of(more_words: Iterable[str]) -> Redaction:
    """What hides by the usual words and by these: the setting `redact_keys`."""
    words = tuple(more_words)
    return Redaction((*DEFAULT_REDACT_WORDS, *words)) if words else DEFAULT_REDACTION


def masked_by(redact: Redact | None, text: str) -> str:
    """A text for the program's log, as it would be stored."""
    return redact.text(text) if isinstance(redact, Redaction) else text


def redacted(body: StructT, redact: Redact | None) -> StructT:
    """The same body without secrets in its texts and, of a dead letter, in its message's body.

    Free-form maps are seen to where they are walked (`relayna.events.sanitise`).
    """
    names = _TEXT_FIELDS.get(type(body))
    if not names or not isinstance(redact, Redaction):
        return body
    changes: dict[str, object] | None = None
    for name in names:
        text = getattr(body, name)
        if text is not None and isinstance(text, str):
            masked = redact.text(text)
            if masked != text:
                changes = changes or {}
                changes[name] = masked
    if isinstance(body, DeadLetterRecorded) and redact.bodies and isinstance(body.body, bytes):
        changes = {**(changes or {}), **_body_changes(body.body, redact)}
    return replace(body, **changes) if changes else body


def _body_changes(body: bytes, redaction: Redaction) -> dict[str, object]:
    """What becomes of a message's body. The digest of a hidden body goes too: it helps to guess what was hidden."""
    whole = len(body) <= BODY_LIMIT_BYTES
    try:
        # What is cut anyway need not be read to its end, where a character may be cut in two.
        text = body.decode() if whole else _UTF_8().decode(body[:LONGEST_MASKED])
    except UnicodeDecodeError:
        return {"body": None, "body_size": len(body), "body_sha256": None, "body_redacted": True}
    shown = redaction.text(_json_without_secrets(text, redaction) if whole else text)
    if shown == text:
        return {}
    return {
        "body": shown.encode(errors="replace"),
        "body_size": len(body),
        "body_sha256": None,
        "body_redacted": True,
    }


def _json_without_secrets(text: str, redaction: Redaction) -> str:
    """The text itself when it is no JSON, or holds no secret."""
    try:
        value = msgspec.json.decode(text)
        clean = redaction.inside(value)
        return text if clean is value else msgspec.json.encode(clean).decode()
    except _UNREADABLE:
        return text


def _differs(inner: dict[str, Any], value: dict[str, Any]) -> bool:  # Any: JSON values
    return inner.keys() != value.keys() or any(inner[name] is not item for name, item in value.items())
