"""What spans are called outside, and which trace they are of: attribute names, and ids made from recorded ones.

Owns the names and the rules by which ids are made. Pure; how a span is written down is in
`relayna/observability/trace/otel_json.py`.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

__all__ = [
    "ATTEMPT_ID", "BATCH_ID", "DATA_ID", "OTEL", "PAYLOAD_BYTES", "QUEUING", "SPAN_TYPE", "SPAN_TYPES", "TASK_ID",
    "analysis_trace_id", "derived_span_id", "traceparent_of", "traceparent_parts",
]  # fmt: skip

SPAN_TYPE: Final = "relayna.type"
DATA_ID: Final = "data_id"
BATCH_ID: Final = "batch_id"
PAYLOAD_BYTES: Final = "payload_bytes"
ATTEMPT_ID: Final = "relayna.attempt_id"
TASK_ID: Final = "relayna.task_id"
OTEL: Final = "otel."
"""Before the names of a span's own fields that have none here."""

QUEUING: Final = "queuing for execution"
"""The marker of what waits to be handled together with others."""

SPAN_TYPES: Final = ("compute", "network", "marker")

_HEX: Final = re.compile(r"[0-9a-f]{32}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def analysis_trace_id(session_id: str) -> str:
    """The trace of a session's spans: its id where that is a UUID or 32 hexadecimal characters, else made from it.

    >>> analysis_trace_id("0A8C6F5E-9A0B-4C1D-8E2F-001122334455"), analysis_trace_id("order-7")
    ('0a8c6f5e9a0b4c1d8e2f001122334455', 'df8cf80227ec3237922df0ecd88385c5')
    """
    told = session_id.lower()
    if _UUID.fullmatch(told):
        told = told.replace("-", "")
    if _HEX.fullmatch(told) and told.strip("0"):  # all zeros is no trace
        return told
    return hashlib.sha256(session_id.encode(errors="surrogatepass")).hexdigest()[:32]


def derived_span_id(owner: str, number: int) -> str:
    """The id of the owner's span of that number: 16 hexadecimal characters."""
    return hashlib.blake2b(f"{owner}.{number}".encode(errors="surrogatepass"), digest_size=8).hexdigest()


def traceparent_parts(traceparent: str | None) -> tuple[str, str] | None:
    """Trace and span of a `traceparent` (https://www.w3.org/TR/trace-context/); none for what is not one.

    >>> traceparent_parts("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    ('0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331')
    """
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None or not found[1].strip("0") or not found[2].strip("0"):
        return None
    return found[1], found[2]


def traceparent_of(trace_id: str, span_id: str) -> str:
    """The `traceparent` of a span of which nothing says whether it was sampled."""
    return f"00-{trace_id}-{span_id}-00"
