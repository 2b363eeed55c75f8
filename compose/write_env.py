"""Write compose/.env for this machine, once: a random Grafana password and admin token, the profile.

An .env that is there is never changed. Needs nothing but Python: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROFILES = ("gpu", "cpu", "emulator")


def filled_in(example: str, profiles: str) -> str:
    """The example file with secrets and profiles put in; everything else as it is."""
    values = {
        "COMPOSE_PROFILES": profiles,
        "GRAFANA_PASSWORD": secrets.token_urlsafe(18),
        "GATEWAY_ADMIN_TOKEN": secrets.token_urlsafe(24),
    }
    lines = []
    for line in example.splitlines():
        name = line.split("=", 1)[0]
        lines.append(f"{name}={values[name]}" if name in values else line)
    return "\n".join(lines) + "\n"


def write(folder: Path, profiles: str) -> bool:
    """Whether an .env was written; only its owner may read it.

    Raises:
        OSError: the folder cannot be written to.
    """
    text = filled_in((folder / ".env.example").read_text(encoding="utf-8"), profiles)
    try:
        descriptor = os.open(folder / ".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def main() -> int:
    """Exit status 0; 2 for a profile that does not exist."""
    flags = argparse.ArgumentParser(prog="compose/write_env.py", description=__doc__.splitlines()[0])
    flags.add_argument(
        "--profile", default="gpu", help=f"{', '.join(PROFILES)}; more with a comma: emulator,load"
    )
    profiles = flags.parse_args().profile
    if profiles.split(",")[0] not in PROFILES or set(profiles.split(",")) - {*PROFILES, "load", "ui"}:
        print(
            f"--profile {profiles}: allowed are {', '.join(PROFILES)}, each with ,load or ,ui",
            file=sys.stderr,
        )
        return 2
    if write(HERE, profiles):
        print("compose/.env written. Grafana: user admin, password in GRAFANA_PASSWORD there.")
    else:
        print("compose/.env is there already and is left as it is.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
