"""Colours by role, for a light and a dark page.

A page has them as CSS variables (`var(--blue)`), which the report's figures and what a browser draws use by
name; a figure on its own, as in a notebook, has the light ones.

The hues are those of Okabe and Ito's colour-blind-safe set, darkened or lightened until they meet WCAG
contrast (text 4.5 : 1, marks 3 : 1; tests/loadtests/look/test_palette.py). Colour is never the only sign:
lines differ in dash, bars in order, cells carry their number.
"""

from __future__ import annotations

ROLES: dict[str, tuple[str, str]] = {
    "ink": ("#1b2330", "#e6eaf0"),
    "muted": ("#56606f", "#a5afbe"),
    "grid": ("#dfe3e9", "#333b47"),
    "surface": ("#ffffff", "#191d24"),
    "shade": ("#eef0f3", "#242a33"),
    "blue": ("#0067ae", "#62b4f2"),
    "sky": ("#3b8fc4", "#9fd0f5"),
    "orange": ("#a65200", "#f0a55a"),
    "red": ("#c0371a", "#ff8a70"),
    "green": ("#007a5c", "#3cc79d"),
    "purple": ("#9b4480", "#e3a0cb"),
    "grey": ("#757f8d", "#8a95a5"),
    "amber": ("#9a6f00", "#e3c04f"),
    # Grounds and lines of the page itself.
    "page": ("#f6f7f9", "#12151a"),
    "line": ("#d9dee5", "#353d4a"),
    "tint": ("#eef4fa", "#1d2936"),
    "caution": ("#fff6e6", "#2e2415"),
}

# Sequential steps, few to many: blue for what is good to have, warm for what it costs. (fill light, fill
# dark, text light, text dark)
COOL = (
    ("#edf3fa", "#1e2a38", "#1b2331", "#e6eaf1"),
    ("#d5e5f4", "#1f3d5a", "#1b2332", "#e6eaf2"),
    ("#b3d2eb", "#21507b", "#1b2333", "#e6eaf3"),
    ("#8abae0", "#2a649a", "#1b2334", "#fdfdfe"),
    ("#2f77b2", "#78b2e4", "#fefefd", "#10161e"),
    ("#1b5c93", "#9cc9ee", "#fefefc", "#10161f"),
    ("#0e4271", "#c6e1f7", "#fefefb", "#101620"),
)
WARM = (
    ("#fbf2e9", "#33281d", "#1b2341", "#e6eae1"),
    ("#f7dfc6", "#513a20", "#1b2342", "#e6eae2"),
    ("#f0c598", "#6f4d22", "#1b2343", "#e6eae3"),
    ("#e5a565", "#8a5f27", "#1b2344", "#fdfdfc"),
    ("#b05c14", "#e0a25c", "#fefefa", "#10161a"),
    ("#8b450b", "#edc190", "#fefef9", "#10161b"),
    ("#672f04", "#f7dfc4", "#fefef8", "#10161c"),
)


def light(role: str) -> str:
    """The light colour of a role, to draw with."""
    return ROLES[role][0]


def variables() -> dict[str, tuple[str, str]]:
    """Every CSS variable name → (light, dark)."""
    named = dict(ROLES)
    for ramp, steps in (("cool", COOL), ("warm", WARM)):
        for i, (fill, dark_fill, on, dark_on) in enumerate(steps):
            named[f"{ramp}{i}"] = (fill, dark_fill)
            named[f"on-{ramp}{i}"] = (on, dark_on)
    return named


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio of two #rrggbb colours, 1 to 21."""
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    """Relative luminance: 0.2126 R + 0.7152 G + 0.0722 B of the linearised channels (WCAG 2)."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
