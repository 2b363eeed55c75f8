"""What the machine did to a measurement: time that its host gave to others."""

from dataclasses import dataclass
from pathlib import Path

_STEAL = 7


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Jiffies since boot over all cores: all of them, and those that the hypervisor gave away."""

    total: int
    stolen: int

    def stolen_ratio_until(self, later: "CpuTimes") -> float:
        """Share of the CPU time between the two readings that was stolen, 0–1."""
        total = later.total - self.total
        return (later.stolen - self.stolen) / total if total > 0 else 0.0


def cpu_times() -> CpuTimes | None:
    """A reading of `/proc/stat`; None where there is none."""
    try:
        first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
    except OSError:
        return None
    times = [int(field) for field in first[1:]]
    return CpuTimes(sum(times[:8]), times[_STEAL])
