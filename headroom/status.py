"""`headroom status`: what of the compose stack runs where, and how it is. `make up` ends with it.

Only Python's own library is imported: `make up` comes before anything is installed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from experiments.errors import UserError, run_command
from experiments.stack import paths
from experiments.stack.compose_env import read_env
from experiments.stack.compose_services import ServiceRow, rows


def main(argv: Sequence[str], prog: str = "python -m headroom.status") -> int:
    """Print the table; 0 where every service is up, 1 where one is not.

    Raises:
        UserError: there is no `.env`, or a port in it is no number.
    """
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument(
        "--compose-env", type=Path, default=paths.compose() / ".env", metavar="FILE",
        help="the stack's variables (default: compose/.env)",
    )  # fmt: skip
    env_file: Path = parser.parse_args(argv).compose_env
    settings = _settings(env_file, os.environ)
    found = rows(settings, env_file)
    print("\n".join(_lines(found, settings, env_file)))
    return 0 if all(row.up for row in found) else 1


def _settings(env_file: Path, own: Mapping[str, str]) -> dict[str, str]:
    """The file's variables, and over them those of our environment, as compose itself has it."""
    try:
        of_file = read_env(env_file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{env_file} cannot be read ({error.strerror}): `make up` writes it and starts the stack"
        ) from None
    return of_file | {name: value for name, value in own.items() if value}


def _lines(found: Sequence[ServiceRow], settings: Mapping[str, str], env_file: Path) -> Iterator[str]:
    width = max(len(row.url) for row in found)
    yield f"{'':<14}{'where':<{width}}  health"
    for row in found:
        yield f"{row.title:<14}{row.url:<{width}}  {row.health}"
    yield ""
    secrets = "GRAFANA_PASSWORD (user admin), GATEWAY_ADMIN_TOKEN (the gateway's /admin)"
    yield f"secrets       {_shown(env_file)}: {secrets}"
    yield ""
    at = {row.title: row.url for row in found}
    for what, command in _to_try(at, settings):
        yield f"{what}\n  {command}"


def _to_try(at: Mapping[str, str], settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Three things, with the addresses of this stack."""
    key = " -H 'Authorization: Bearer KEY'" if settings.get("GATEWAY_API_KEYS") else ""
    model = settings.get("MODEL_NAME") or "qwen25-14b"
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Why do queues form?"}}]}}'
    yield (
        "Ask it something" + (" (KEY: one of GATEWAY_API_KEYS)" if key else ""),
        f"curl -s {at['gateway']}/v1/chat/completions{key} -H 'Content-Type: application/json' -d '{body}'",
    )
    if "Locust" in at:
        yield f"Send it a burst and watch it at {at['Grafana']}", f"open {at['Locust']}/llm"
    else:
        load = f".venv/bin/headroom load --headless --scenario burst --host {at['gateway']}"
        yield f"Send it a burst and watch it at {at['Grafana']}", f"make setup && {load}"
    yield "Find the setting that fits it", "make sweep ENGINE=compose"


def _shown(path: Path) -> str:
    """Short where it is below the working folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


if __name__ == "__main__":
    run_command(main)
