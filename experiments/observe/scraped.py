"""Targets of a Prometheus as its series show them: by the labels that each gave its samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from experiments.observe.prometheus import Series
from experiments.observe.selector import Selector

Labels = tuple[tuple[str, str], ...]
"""Of one target, sorted."""


def target_of(series: Series, own: Iterable[str] = ()) -> Labels:
    """The labels of a series that its target gave it."""
    left_out = {"__name__", "le", *own}
    return tuple(sorted((name, value) for name, value in series.labels.items() if name not in left_out))


def listed(targets: Sequence[Labels]) -> str:
    """The first few of them, for people."""
    if not targets:
        return "none"
    shown = [str(Selector.equal(dict(target))) for target in targets[:5]]
    more = f" and {len(targets) - 5} more" if len(targets) > 5 else ""
    return f"{len(targets)} ({', '.join(shown)}{more})"
