"""Texts that do something where they are not taken for text: in pages, drawings, terminals, tables, logs, headers.

Owns the payloads. What one of them would do is marked: a line, a node, a header or a label that is forged says
`forged`, and what is executed needs an element, an escape sequence or a directive.
"""

from __future__ import annotations

from itertools import product
from typing import Final

__all__ = ["hostile_payloads"]

_PAGES: Final = (
    "<script>forged()</script>", "<img src=x onerror=forged()>", "\"><svg onload=forged()>", "'><b>forged</b>",
    "</title><script>forged()</script>", "javascript:forged()", "<iframe srcdoc='<script>forged()</script>'>",
    "<!--<script>forged()//-->", "&lt;script&gt;forged()&lt;/script&gt;", "{{forged}}", "${forged}", "<%= forged %>",
    "]]><script>forged()</script>", "<a href=javascript:forged()>x</a>", "</script><script>forged()</script>",
)  # fmt: skip
_DRAWINGS: Final = (
    "%%{init: {'securityLevel':'loose'}}%%", "\"]\n  forged[\"forged\"]\n  n0 --> forged", "click n0 href \"javascript:forged()\"",
    "classDef failed fill:#f00;", "end\nsubgraph forged", "`<b>forged</b>`", "#quot;] --> forged[#quot;",
    "\"]; forged [label=\"forged\"]; n0 -> forged; x [label=\"", "\\\"; forged -> n0; \\", "\\N\\G\\E\\T\\H\\L", "<<b>forged</b>>",
    "\" URL=\"javascript:forged()\" x=\"", "}\ndigraph forged { forged }", "\\", "\\\\\"", "/* forged */ // forged", "# forged",
)  # fmt: skip
_TERMINALS: Final = (
    "\x1b[31mforged\x1b[0m", "\x1b]0;forged\x07", "\x1b]8;;http://forged\x07x\x1b]8;;\x07", "\x1b[2J\x1b[Hforged",
    "\x9b31mforged", "\x1bP$q forged\x1b\\", "a\rforged", "a\bforged", "\x1b[6n", "\x7f\x7fforged", "\x0e\x0fforged",
    "\x1b]52;c;Zm9yZ2Vk\x07", "\x1b[?1049hforged", "[bold red]forged[/]", ":skull: forged", "\x90forged\x9c",
)  # fmt: skip
_TABLES: Final = (
    "=cmd|'/c forged'!A1",
    "+forged",
    "-1+1",
    "@SUM(forged)",
    "\t=forged",
    'a","forged","b',
    "a;forged;b",
)
_LOGS: Final = (
    "x\nERROR relayna.forged forged", "x\r\nforged 2026-01-01 forged", "x\u2028forged", "x\u2029forged", "x\x85forged",
    "x\x0bforged\x0cforged", "x\"}\n{\"relayna\":\"forged\"}", "%s%n%d forged", "{0.__class__} forged", "x\x1eforged",
)  # fmt: skip
_HEADERS: Final = (
    "x\r\nX-Forged: forged", "x\nSet-Cookie: forged=1", "x\r\n\r\n<html>forged", "x\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 forged",
    "\u010d\u010aX-Forged: forged", "%0d%0aX-Forged:%20forged", "\"; forged=\"", "<x>; rel=\"forged\"", "x, forged",
)  # fmt: skip
_LABELS: Final = (
    "x\"} 1\nforged_total{a=\"", "x\\\"} 1\\nforged_total 1", "x\nforged_total 1", "# HELP forged forged\n", "x\\", "x\"# {a=\"forged\"} 1",
)  # fmt: skip
_TEXTS: Final = (
    "\u202egnp.forged\u202c", "\u2066forged\u2069", "\u200fforged", "a\0forged", "\0", "\ufeffforged", "\u200b\u200d",
    "\ud800forged", "\udfff", "\ufffe\uffff", "forged\u0301" * 30, "\u0130\u0131", "\U000e0001forged", "e\u0301" * 200,
    "A" * 5_000, "../../forged", "; rm -rf forged", "$(forged)", "' OR 1=1 --forged", "__proto__", "constructor",
)  # fmt: skip
_WRAPPED: Final = ("{}", "order-7 {}", "{} {}", "\n{}\n", '"{}"', "{}\0")


def hostile_payloads(count: int) -> list[str]:
    """So many, different ones, each kind among the first of them."""
    kinds = (_PAGES, _DRAWINGS, _TERMINALS, _TABLES, _LOGS, _HEADERS, _LABELS, _TEXTS)
    found: dict[str, None] = {}
    for wrapping, place in product(_WRAPPED, range(max(map(len, kinds)))):
        for kind in kinds:
            if place < len(kind):
                found[wrapping.replace("{}", kind[place])] = None
                if len(found) == count:
                    return [*found]
    raise AssertionError(f"there are only {len(found)}")
