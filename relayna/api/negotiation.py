"""Which representation a client wants, from its `Accept` header (RFC 9110, section 12.5.1).

Owns the reading of that header. Parameters other than `q` are not told apart: nothing here is offered twice.
"""

from __future__ import annotations

from functools import lru_cache

__all__ = ["preferred_media_type"]


@lru_cache(maxsize=256)
def preferred_media_type(accept: str, offered: tuple[str, ...]) -> str | None:
    """The offered media type the client likes best, the first of equals; `None` when it accepts none.

    A client that says nothing accepts everything. Elements that cannot be read count as not written.

    >>> preferred_media_type("text/*;q=0.5, application/json;q=0.1", ("application/json", "text/plain"))
    'text/plain'
    """
    if not accept.strip():
        return offered[0]
    weights: dict[str, float] = {}
    for element in accept.split(","):
        media_range, weight = _read(element)
        if weight is not None:
            weights[media_range] = max(weight, weights.get(media_range, 0.0))
    best = max(offered, key=lambda media_type: _weight(media_type, weights))
    return best if _weight(best, weights) > 0 else None


def _read(element: str) -> tuple[str, float | None]:
    media_range, *parameters = (part.strip().lower() for part in element.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return media_range, _quality(value.strip())
    return media_range, 1.0


def _quality(text: str) -> float | None:
    try:
        quality = float(text)
    except ValueError:
        return None
    return quality if 0 <= quality <= 1 else None


def _weight(media_type: str, weights: dict[str, float]) -> float:
    # The most specific range speaks for a type, even when a wider one is kinder to it.
    family = media_type.partition("/")[0]
    for media_range in (media_type, f"{family}/*", "*/*"):
        if media_range in weights:
            return weights[media_range]
    return 0.0
