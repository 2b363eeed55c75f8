"""`python -m gateway`: reads the settings, then serves."""

import os
import sys
from collections.abc import Sequence

from gateway.command_line import load
from gateway.lane_tables import LanesError, from_file
from gateway.settings import BadSettingError


def main(argv: Sequence[str] | None = None, prog: str = "python -m gateway") -> int:
    """The exit status: 0 after a drain, 1 when the address cannot be bound, 2 for a bad setting."""
    try:
        settings = load(sys.argv[1:] if argv is None else argv, os.environ, prog)
        lanes = from_file(settings.lanes_file)
    except (BadSettingError, LanesError) as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 2
    # After the settings: a wrong flag should not cost the import of the server.
    from gateway.server import run

    return run(settings, lanes)


if __name__ == "__main__":
    sys.exit(main())
