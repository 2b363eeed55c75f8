"""What one block of a live comparison is summed up as: a number for each side."""

from __future__ import annotations

from enum import StrEnum


class BlockMetric(StrEnum):
    """A metric of one measured block; latencies are of the served requests, in seconds."""

    GOODPUT = "goodput"
    """served within the SLO, per second"""
    ATTAINMENT = "attainment"
    """share of the offered requests that met the SLO, 0-1"""
    TTFT_P95 = "ttft-p95"
    TPOT_P95 = "tpot-p95"
    E2E_P95 = "e2e-p95"

    @property
    def more_is_better(self) -> bool:
        """Whether a rise is good news."""
        return self in (BlockMetric.GOODPUT, BlockMetric.ATTAINMENT)

    @property
    def label(self) -> str:
        """As a sentence has it."""
        name, _, quantile = self.value.partition("-")
        return f"{name.upper()} {quantile}" if quantile else name
