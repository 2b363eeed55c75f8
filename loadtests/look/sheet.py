"""The style sheet and the script that a page puts into its head, as text: no page asks for a second file."""

from __future__ import annotations

from importlib import resources

from loadtests.look import palette


def style() -> str:
    """CSS: the colours as variables (`--ink`, `--blue`, …), light, dark and in print, then the components.

    Dark is the system's choice unless the root element has `data-theme`; paper is always light.
    """
    pairs = palette.variables().items()
    bright = "".join(f"--{name}:{light};" for name, (light, _) in pairs)
    dark = "".join(f"--{name}:{dark};" for name, (_, dark) in pairs) + "color-scheme:dark;"
    return (
        f":root{{{bright}}}\n"
        f"@media screen{{:root[data-theme=dark]{{{dark}}}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
        + _own_file("look.css")
    )


def theme_script() -> str:
    """JavaScript: applies the theme that was chosen before, or `?theme=dark`, and serves a button with the id
    `theme`. Put it at the end of the body.
    """
    return _own_file("theme.js")


def _own_file(name: str) -> str:
    return resources.files("loadtests.look").joinpath(name).read_text(encoding="utf-8")
