"""Write the dashboards (`python -m monitoring.grafana`), or say which are out of step (`--check`, exit 1)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from monitoring.grafana import boards
from monitoring.grafana.render import as_text

DASHBOARDS = Path(__file__).with_name("dashboards")


def main() -> int:
    """Exit status 0, or 1 when `--check` finds a file that the code would write differently."""
    flags = argparse.ArgumentParser(prog="python -m monitoring.grafana", description=__doc__)
    flags.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of step")
    check = flags.parse_args().check
    wanted = {DASHBOARDS / f"{board.uid}.json": as_text(board) for board in boards.every()}
    stale = [path for path in DASHBOARDS.glob("*.json") if path not in wanted]
    different = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if check:
        for path in (*stale, *different):
            print(f"{path.name} is out of step; run: python -m monitoring.grafana", file=sys.stderr)
        return 1 if stale or different else 0
    DASHBOARDS.mkdir(exist_ok=True)
    for path in stale:
        path.unlink()
    for path in different:
        path.write_text(wanted[path])
    print(f"{len(wanted)} dashboards, {len(different)} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
