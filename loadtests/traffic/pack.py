"""Makes Parquet of the closed segments of a recording: fewer bytes, and ready for DuckDB or Polars."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa

from loadtests.one_sentence import SentenceParser
from loadtests.traffic import table
from loadtests.traffic.segments import LINES, TrafficError, stems

_ABOUT = """Makes Parquet of the closed segments of a recording (RECORD_DIR). The gateway starts it by itself
where this package and pyarrow are installed; where they are not, it is run by hand or never: whatever reads a
recording reads both."""
_EXAMPLES = """examples:
  %(prog)s /var/lib/headroom/recording
"""


def main(argv: Sequence[str], prog: str = "python -m loadtests.traffic.pack") -> int:
    """Pack what is closed; the exit code: 0, or 2 where there is no such folder."""
    parser = SentenceParser(
        prog=prog,
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of a recording")
    folder: Path = parser.parse_args(argv).folder
    try:
        found = stems(folder)
    except TrafficError as error:
        print(f"headroom: {error}", file=sys.stderr)
        return 2
    for stem in found:
        _pack(folder / f"{stem}{LINES}")
    return 0


def _pack(lines: Path) -> None:
    try:
        with _closed(lines) as is_closed:
            packed = table.pack(lines) if is_closed else None
    except FileNotFoundError:
        return  # a table already, or gone
    except (TrafficError, OSError, pa.ArrowException) as error:
        print(f"headroom: {lines.name} stays as it is: {error}", file=sys.stderr)
        return
    if packed is not None:
        print(packed.name)


@contextmanager
def _closed(lines: Path) -> Iterator[bool]:
    """Whether no gateway writes to it, and nobody else packs it, now and as long as this lasts."""
    with lines.open("rb") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows: what is written to cannot be removed there
            pass
        except BlockingIOError:
            yield False
            return
        yield True


if __name__ == "__main__":
    with suppress(AttributeError, OSError):
        os.nice(19)
    sys.exit(main(sys.argv[1:]))
