"""Which clock the times of an answer are from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class ChunkTimes:
    """Of what one or several senders received, by where its time is from."""

    kernel: int = 0
    """reads whose time is the kernel's stamp of their arrival"""
    reader: int = 0
    """reads whose time is that of the reading: TLS, not Linux, or the wall clock was being set"""
    clock_steps: int = 0
    """how often the wall clock, by which the kernel stamps, was found to have been set"""

    @staticmethod
    def sum(parts: Iterable[ChunkTimes]) -> ChunkTimes:
        """Of all senders together."""
        every = list(parts)
        return ChunkTimes(
            sum(part.kernel for part in every),
            sum(part.reader for part in every),
            sum(part.clock_steps for part in every),
        )
