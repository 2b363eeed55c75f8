"""The flag --slo."""

from __future__ import annotations

from experiments.errors import UserError
from loadtests.slo import SLO


def parsed(text: str | None) -> SLO | None:
    """The objective that was given; None where none was. Raises UserError: it is none."""
    try:
        return None if text is None else SLO.parse(text)
    except ValueError as error:
        raise UserError(f"--slo: {error}") from None
