"""When the garbage collector looks at what is old: while nobody is served.

With a hundred thousand requests waiting one look takes a second, in which every stream stands still. What is
served leaves no circles behind (a test holds that), so the collector has nothing to find there; what
libraries leave in the control plane is mostly found while it is young, the rest in a quiet moment. Where
there is none for an hour it is looked for anyway: memory has to be bounded, too.
"""

import gc

_NEVER = 2**31 - 1
LEAST_S = 10.0
"""Between two looks."""
MOST_S = 3600.0
"""From one look to the next, however busy it is."""
QUIET_S = 1.0
"""Without a request: between those that follow one another there is often nobody for a moment."""


class QuietCollector:
    """Keeps the collector from looking at the oldest objects by itself."""

    def __init__(self, now_s: float) -> None:
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, _NEVER)
        self._arrived = -1
        self._busy_s = self._looked_s = now_s
        self._look()

    def see(self, now_s: float, arrived: int, running: int) -> None:
        """To be called a few times a second. now_s: monotonic; arrived: requests so far; running: those that
        have not ended.
        """
        if running or arrived != self._arrived:
            self._arrived, self._busy_s = arrived, now_s
        quiet = now_s - self._busy_s >= QUIET_S
        if now_s - self._looked_s >= (LEAST_S if quiet else MOST_S):
            self._looked_s = now_s
            self._look()

    @staticmethod
    def _look() -> None:
        gc.collect()
        # What exists now lasts, or goes by itself: the next look is at what is new.
        gc.freeze()
