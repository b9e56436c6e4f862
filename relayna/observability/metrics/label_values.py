"""What a label may say: printable text, and of one label no more than so many different values.

Owns that bound. Whoever names queues or reasons must not be able to fill a Prometheus.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MOST_VALUES", "OTHER", "LabelValues"]

MOST_VALUES: Final = 200
OTHER: Final = "other"
_LONGEST: Final = 128


class LabelValues:
    """The values of one label of one metric. For use under a lock."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def shown(self, value: object) -> str:
        """The value as it is served; `other` for a new one when there are enough.

        >>> LabelValues().shown("orders\\n")
        'orders\\ufffd'
        """
        text = value if isinstance(value, str) else type(value).__name__
        known = self._shown.get(text)
        if known is not None:
            return known
        if len(self._shown) >= MOST_VALUES:
            return OTHER
        known = "".join(character if character.isprintable() else "\ufffd" for character in text[:_LONGEST])
        self._shown[text] = known
        return known
