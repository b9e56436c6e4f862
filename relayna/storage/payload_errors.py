"""What can go wrong with stored payloads. Owns the errors.

RelaynaError
└── PayloadError
    ├── PayloadNotFound         nothing lies under this key
    ├── PayloadDamaged          something else lies under it
    └── PayloadStorageFailed    the directory or object store does not do what is asked of it
"""

from __future__ import annotations

from relayna.errors import RelaynaError

__all__ = ["PayloadDamaged", "PayloadError", "PayloadNotFound", "PayloadStorageFailed"]


class PayloadError(RelaynaError):
    """A stored payload cannot be had."""


class PayloadNotFound(PayloadError):
    """Nothing lies under `key` in the storage at `place` (credentials masked)."""

    def __init__(self, key: str, place: str | None = None) -> None:
        self.key = key
        self.place = place
        where = "" if place is None else f" in {place!r}"
        super().__init__(
            f"Nothing is stored under {key!r}{where}. "
            "Check the key, the tenant and storage_url, and whether it was deleted."
        )


class PayloadDamaged(PayloadError):
    """What lies under `key` is not what was stored there: the key is its hash."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(
            f"What lies under {key!r} is not what was stored: its hash is another. Restore it from a backup."
        )


class PayloadStorageFailed(PayloadError):
    """The storage at `place` (credentials masked) does not do what is asked of it: `problem`."""

    def __init__(self, place: str, problem: str) -> None:
        self.place = place
        self.problem = problem
        super().__init__(
            f"The storage at {place!r} fails: {problem}. Check that it is there, reachable and writable."
        )
