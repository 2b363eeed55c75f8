"""How long a request may take, as a whole and in its present phase."""

from math import inf

from gateway.call import CancelReason

_WHOLE = CancelReason.WHOLE


class Patience:
    """Points in time are `time.monotonic()` seconds, inf for none."""

    __slots__ = ("_lasting_s", "_phase_s", "_whole_s", "phase")

    def __init__(self, whole_s: float) -> None:
        """whole_s: the end of the whole request, whatever the phase."""
        self.phase = _WHOLE
        self._lasting_s = inf
        self._phase_s = inf
        self._whole_s = whole_s

    def enter(self, phase: CancelReason, lasting_s: float, now_s: float) -> float:
        """A phase that may last `lasting_s` (inf: no bound of its own). Returns `next_s`."""
        self.phase = phase
        self._lasting_s = lasting_s
        self._phase_s = now_s + lasting_s
        return min(self._phase_s, self._whole_s)

    def renew(self, now_s: float) -> None:
        """The present phase begins again."""
        self._phase_s = now_s + self._lasting_s

    def lost(self, now_s: float) -> CancelReason | None:
        """What has taken too long, if anything."""
        if now_s >= self._phase_s:
            return self.phase
        return _WHOLE if now_s >= self._whole_s else None

    def next_s(self) -> float:
        """When it may be lost at the earliest."""
        return min(self._phase_s, self._whole_s)
