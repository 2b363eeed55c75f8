"""Computes during given stretches of time and sleeps between them. Standard library only.

python busy_loop.py BEGIN START-END …    Unix seconds of the beginning; seconds from it
"""

from __future__ import annotations

import sys
import time


def main(argv: list[str]) -> None:
    """Until the end of the last stretch; what has passed already is left out."""
    begin_s = float(argv[0])
    for text in argv[1:]:
        start_s, end_s = (begin_s + float(part) for part in text.split("-"))
        time.sleep(max(0.0, start_s - time.time()))
        while time.time() < end_s:
            for _ in range(10_000):  # the clock is asked seldom: this is to be work, not system calls
                pass


if __name__ == "__main__":
    main(sys.argv[1:])
