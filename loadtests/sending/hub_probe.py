"""Watching the gevent hub from inside: how late a sleeper wakes up, and how much CPU the process takes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import gevent

_PROBE_S = 0.02


@dataclass(slots=True)
class HubProbe:
    """Greenlet that sleeps 20 ms at a time and notes by how much it overslept, and the CPU
    share of each second."""

    hub_lags_s: list[float] = field(default_factory=list)
    cpu_shares: list[float] = field(default_factory=list)
    _told: tuple[int, int] = (0, 0)

    def news(self) -> tuple[list[float], list[float]]:
        """Hub lags and CPU shares since this was last asked."""
        lags, shares = self._told
        self._told = len(self.hub_lags_s), len(self.cpu_shares)
        return self.hub_lags_s[lags:], self.cpu_shares[shares:]

    def run(self) -> None:
        """Sample until killed."""
        window_s, used_s = time.monotonic(), time.process_time()
        while True:
            asked_s = time.monotonic() + _PROBE_S
            gevent.sleep(_PROBE_S)
            now_s = time.monotonic()
            self.hub_lags_s.append(max(0.0, now_s - asked_s))
            if now_s - window_s >= 1.0:
                self.cpu_shares.append((time.process_time() - used_s) / (now_s - window_s))
                window_s, used_s = now_s, time.process_time()
