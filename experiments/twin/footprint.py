"""How much of each limit a run used, and so under which other limits it would have been the same run.

Where nobody waited, was refused or timed out, a larger limit cannot change anything: one run stands for all
settings that it did not touch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.twin.simulated import QUEUE_TIMEOUT, REJECTED_FULL, REJECTED_MODE, Simulated
from gateway.limits import Limits


@dataclass(frozen=True, slots=True)
class Footprint:
    """Of one run under `limits`, over all its phases. Of other lanes it says nothing.

    Attributes:
        peak_active, peak_queue: the most requests that held a slot, and that waited, at once.
        refused: whether one was, for want of room. expired: whether one waited too long.
        longest_wait_s: of those that got their slot, seconds.
    """

    limits: Limits
    peak_active: int
    peak_queue: int
    refused: bool
    expired: bool
    longest_wait_s: float

    @classmethod
    def of(cls, limits: Limits, done: Simulated) -> Footprint:
        """Of a simulated run."""
        waits_s = done.granted_s - done.due_s
        return cls(
            limits,
            done.peak_active,
            done.peak_queue,
            bool(((done.codes == REJECTED_FULL) | (done.codes == REJECTED_MODE)).any()),
            bool((done.codes == QUEUE_TIMEOUT).any()),
            float(np.nanmax(waits_s, initial=0.0)),
        )

    def same_under(self, limits: Limits) -> bool:
        """Would this run be the same, event by event, with other limits?"""
        mine = self.limits
        if mine.slot_cost is not limits.slot_cost:
            return False
        if (mine.queue_order, mine.request_timeout_s) != (limits.queue_order, limits.request_timeout_s):
            return False
        if not (self.peak_queue > 0 or self.refused):
            return limits.max_active >= self.peak_active
        same_queue = mine.queue_max == limits.queue_max or (
            not self.refused and limits.queue_max >= self.peak_queue
        )
        same_patience = mine.queue_timeout_s == limits.queue_timeout_s or (
            not self.expired and limits.queue_timeout_s > self.longest_wait_s
        )
        same_mode = mine.queue_mode is limits.queue_mode
        return mine.max_active == limits.max_active and same_mode and same_queue and same_patience
