"""The real Graphviz, for the tests of drawings. Without it they are skipped, and fail under CI=true."""

from __future__ import annotations

import shutil
import subprocess
from xml.etree import ElementTree

from servers import missing_server

__all__ = ["Drawn", "draw"]

_SVG = "{http://www.w3.org/2000/svg}"
_HARMLESS = {"svg", "g", "title", "text", "polygon", "path", "ellipse", "polyline"}

Drawn = dict[str, str]
"""Texts by the title that Graphviz gives to each node or edge."""


def draw(source: str) -> tuple[Drawn, Drawn]:
    """The texts of the nodes and of the edges, as Graphviz draws them. Fails when it complains of anything."""
    binary = shutil.which("dot")
    if binary is None:
        missing_server("no Graphviz: install the Debian package graphviz")
    done = subprocess.run([binary, "-Tsvg"], input=source.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b""), f"{done.stderr.decode()}\n{source}"
    root = ElementTree.fromstring(done.stdout)
    assert {element.tag.removeprefix(_SVG) for element in root.iter()} <= _HARMLESS
    return _texts(root, "node"), _texts(root, "edge")


def _texts(root: ElementTree.Element, kind: str) -> Drawn:
    groups = [group for group in root.iter(f"{_SVG}g") if group.get("class") == kind]
    return {
        group.findtext(f"{_SVG}title") or "": "\n".join(text.text or "" for text in group.iter(f"{_SVG}text"))
        for group in groups
    }
