"""When the garbage collector looks at what is old: while nobody is served.

With a hundred thousand requests waiting one look takes a second, in which every stream stands still. What is
served leaves no circles behind (a test holds that), so the collector has nothing to find there; what
libraries leave in the control plane is mostly found while it is young, the rest in a quiet moment.
"""

import gc

_NEVER = 2**31 - 1
LEAST_S = 10.0
"""Between two looks."""


class QuietCollector:
    """Keeps the collector from looking at the oldest objects by itself."""

    def __init__(self, now_s: float) -> None:
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, _NEVER)
        self._looked_s = now_s
        self._look()

    def quiet(self, now_s: float) -> None:
        """Nobody is served at `now_s` (monotonic)."""
        if now_s - self._looked_s >= LEAST_S:
            self._looked_s = now_s
            self._look()

    @staticmethod
    def _look() -> None:
        gc.collect()
        # What exists now lasts, or goes by itself: the next look is at what is new.
        gc.freeze()
