"""Where a measurement was made, in words."""

import os
import platform
from pathlib import Path

from benchmarks.python_build import python_build


def machine() -> str:
    """Cores, processor, kernel, and which Python ran ours."""
    model = platform.processor() or platform.machine()
    with Path("/proc/cpuinfo").open() as lines:
        model = next(
            (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model
        )
    return f"{os.cpu_count()} × {model}, Linux {platform.release().split('-')[0]}, {python_build()}"
