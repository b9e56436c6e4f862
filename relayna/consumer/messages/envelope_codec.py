"""Message bodies under the names that a user's contracts give their fields.

Owns the renaming, which leaves payloads and metadata alone, byte for byte. The shapes are `envelopes.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from relayna.consumer.messages.envelopes import (
    AnyEnvelope,
    BatchTaskEnvelope,
    StatusEnvelope,
    TaskEnvelope,
    WorkflowEnvelope,
    encode_body,
    read_body,
)
from relayna.topologies import ContractAliasConfig

__all__ = ["OWN_NAMES", "EnvelopeCodec"]

_Fields: TypeAlias = dict[str, msgspec.Raw]

_object: Final = msgspec.json.Decoder(_Fields)
_objects: Final = msgspec.json.Decoder(list[_Fields])
_UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class EnvelopeCodec:
    """Writes envelopes and reads them; without aliases, under relayna's own names."""

    def __init__(self, aliases: ContractAliasConfig | None = None) -> None:
        named = {} if aliases is None else aliases.field_aliases
        self._alias_of = {field: alias for field, alias in named.items() if field != alias}
        self._field_of = {alias: field for field, alias in self._alias_of.items()}

    def encode(self, envelope: TaskEnvelope | BatchTaskEnvelope | StatusEnvelope | WorkflowEnvelope) -> bytes:
        """The envelope as JSON. Raises `InvalidPayload`, a `TypeError`, for what JSON cannot hold."""
        body = encode_body(envelope)
        if not self._alias_of:
            return body
        fields = _object.decode(body)
        if "tasks" in fields:
            fields["tasks"] = _renamed_each(fields["tasks"], self._aliased)
        return msgspec.json.encode(self._aliased(fields))

    def read(self, body: bytes, envelope: type[AnyEnvelope]) -> AnyEnvelope:
        """Read a message body. Raises `MalformedMessage`."""
        return read_body(self.plain(body), envelope)

    def plain(self, body: bytes) -> bytes:
        """The body with its fields under relayna's own names; as it is when it is no JSON object.

        Where a field has both names the other name counts: the own one may be a stranger of the same name.
        """
        if not self._alias_of:
            return body
        try:
            fields = self._own(_object.decode(body))
        except _UNREADABLE:
            return body
        if "tasks" in fields:
            fields["tasks"] = _renamed_each(fields["tasks"], self._own)
        return msgspec.json.encode(fields)

    def _aliased(self, fields: _Fields) -> _Fields:
        return {self._alias_of.get(name, name): value for name, value in fields.items()}

    def _own(self, fields: _Fields) -> _Fields:
        return {
            self._field_of.get(name, name): value
            for name, value in fields.items()
            if name in self._field_of or self._alias_of.get(name) not in fields
        }


def _renamed_each(tasks: msgspec.Raw, rename: Callable[[_Fields], _Fields]) -> msgspec.Raw:
    """The tasks of a batch, renamed; what is no list of objects is left to whoever reads it."""
    try:
        renamed = [rename(task) for task in _objects.decode(tasks)]
    except _UNREADABLE:
        return tasks
    return msgspec.Raw(msgspec.json.encode(renamed))


OWN_NAMES: Final = EnvelopeCodec()
"""Knows no other names."""
