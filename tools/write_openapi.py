"""Write docs/openapi.json, the OpenAPI document of the service, from its endpoints.

    python -m tools.write_openapi

tests/api/test_openapi.py keeps the file in step.
"""

from __future__ import annotations

import sys
from pathlib import Path

from relayna.api.aliases import HttpNames
from relayna.api.openapi import encode_document, openapi_document
from relayna.api.runtime import RelaynaRuntime
from relayna.streams import MemoryLog

OPENAPI_JSON = Path(__file__).parent.parent / "docs" / "openapi.json"


def document() -> bytes:
    """The whole file: what the service answers at /openapi.json."""
    endpoints = RelaynaRuntime(log=MemoryLog()).endpoints()
    return encode_document(openapi_document(endpoints, names=HttpNames(None)))


def main() -> int:
    """Write the file."""
    OPENAPI_JSON.write_bytes(document())
    print(f"Wrote {OPENAPI_JSON.name}: {OPENAPI_JSON.stat().st_size:,} bytes.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
