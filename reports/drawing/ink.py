"""Roles of the palette as colours: variables of the page, or the light colours where there is no page."""

from __future__ import annotations

from collections.abc import Callable

from loadtests.look import palette

Ink = Callable[[str], str]
"""Role → CSS colour."""


def of_page(role: str) -> str:
    """A variable, so that the figure follows the page's theme."""
    return f"var(--{role})"


def light(role: str) -> str:
    """The light colour, for a figure on its own."""
    return palette.variables()[role][0]
