"""What operators did: the order in which fields are stored. It only ever grows at its end; old streams depend on it."""

from __future__ import annotations

from relayna.events.operator import OperatorActed


def test_the_stored_order_only_grows() -> None:
    known = ["action", "action_id", "target_id", "actor", "via", "outcome", "reason", "problem"]
    assert list(OperatorActed.__struct_fields__[: len(known)]) == known
