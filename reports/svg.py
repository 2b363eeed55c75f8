"""A figure as inline SVG that follows the page's theme and carries its text as text."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from reports.drawing import Figure
from reports.drawing.ink import of_page


def inline(figure: Figure, name: str, alt: str) -> Markup:
    """The figure as an `<svg>` element; `name` keeps its ids apart from other figures' and must be unique
    in a page.

    `alt` is what a screen reader says.
    """
    body = figure.body(re.sub(r"[^a-zA-Z0-9]", "-", name), of_page)
    # The page scales it between bounds of its text's size (`--natural`, see page.css).
    size = f'viewBox="0 0 {figure.width:g} {figure.height:g}" style="--natural:{figure.width:g}px"'
    # Safe: words escape themselves, and the alt text is escaped here.
    return Markup(f'<svg {size} role="img" aria-label="{escape(alt)}">\n{body}\n</svg>')
