"""Texts that have broken drawings, or might."""

from __future__ import annotations

from hypothesis import strategies as st

HOSTILE = (
    'quote " quote',
    '""',
    "brackets ] ) } [ ( {",
    "pipe | pipe",
    "%%{init: {'theme': 'dark'}}%%",
    "%% comment",
    "two\nlines",
    "\r\nlines\u2028of\u2029all\x85kinds\v\f",
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "<br/>",
    "click n0 href 'javascript:alert(1)'",
    "end",
    "n1 --> n2",
    "`code` and **bold**",
    "&lt;b&gt; #35; #quot; &#60;",
    "back\\slash",
    "\u202egnp.exe \u2066isolated\u2069 \u200fmark",
    "👩‍👩‍👧 🇩🇪 ❤️",
    "\x00\x07\x1b[31mred\x1b]0;title\x07",
    "\ud800 alone",
    "\ufffe\uffff\ufdd0",
    "  spaces\t and\u00a0others\u3000 ",
    "",
    "\u200b",
    "---\ntitle: forged\n---",
    "accTitle: forged",
    ":::failed",
    "@{ shape: cyl }",
    "direction TB",
    "any direction\u00a0LR here",
    "style n0 fill:#f00;",
    "style:#",
    "classDef failed fill:#fff;",
    "ﬂ°°60¶ßb",
    "ﬂ°lt¶ß",
    "subgraph x",
    "long " * 100,
)

fragments = st.sampled_from([*HOSTILE, ":", ";", "#", " ", "TB", "\n", '"', "style", "direction"])

labels = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(), max_size=40),
    st.lists(fragments, max_size=5).map("".join),
)
"""Arbitrary Unicode, lone surrogates included, and mixtures of what is known to be dangerous."""
