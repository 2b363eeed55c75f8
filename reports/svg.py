"""A matplotlib figure as inline SVG that follows the page's theme and carries its text as text."""

from __future__ import annotations

import io
import re

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from loadtests.look import palette

_BY_HEX = {pair[0]: name for name, pair in palette.variables().items()}
_HEX = re.compile(r"#[0-9a-f]{6}\b")
_NUMBER = re.compile(r"(\d+\.\d{2})\d+")
_FONT = re.compile(r"font: ([^'\"]*?)([\d.]+px) [^;\"]*")
MARK = "mark-"
"""A group whose id begins so keeps the rest of it as `data-mark`: a script may find it."""
_ID = re.compile(r' id="([^"]*)"')
_MARKED = re.compile(rf' id="{MARK}([\w-]*)"')
_REFERENCE = re.compile(r'(?:href="#|url\(#)([^")]+)')


def inline(figure: Figure, name: str, alt: str) -> Markup:
    """The figure as an `<svg>` element; `name` keeps its ids apart from other figures' and must be unique
    in a page.

    `alt` is what a screen reader says. Colours of `palette` become CSS variables, coordinates keep two
    decimals.
    """
    drawn = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        FigureCanvasSVG(figure).print_svg(drawn, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    text = drawn.getvalue()
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = _own_ids(body, name)
    body = _HEX.sub(_variable, _NUMBER.sub(r"\1", body))
    body = re.sub(r"\n\s*", "\n", _FONT.sub(r"font-size: \2", body))
    width, height = (72 * inches for inches in figure.get_size_inches())
    # The page scales it between bounds of its text's size (`--natural`, see page.css).
    size = f'viewBox="0 0 {width:g} {height:g}" style="--natural:{width:g}px"'
    head = f'<svg {size} role="img" aria-label="{escape(alt)}">'
    # Safe: matplotlib escapes the text it draws, and the alt text is escaped above.
    return Markup(head + body)


def _variable(match: re.Match[str]) -> str:
    role = _BY_HEX.get(match.group())
    return f"var(--{role})" if role else match.group()


def _own_ids(body: str, name: str) -> str:
    """Drop ids that nothing refers to and prefix the rest, so that no two figures of a page share one."""
    used = set(_REFERENCE.findall(body))
    safe = re.sub(r"[^a-zA-Z0-9]", "-", name)
    body = _MARKED.sub(r' data-mark="\1"', body)
    body = _ID.sub(lambda m: f' id="{safe}-{m[1]}"' if m[1] in used else "", body)
    return _REFERENCE.sub(lambda m: m.group().replace("#" + m[1], f"#{safe}-{m[1]}"), body)
