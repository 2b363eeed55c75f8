"""An Alertmanager on loopback: takes what Prometheus sends, tells the receivers that settings name."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.errors import EnvironmentProblem
from experiments.stack import fetched, paths, process
from experiments.stack.ports import answers, free_port
from experiments.stack.receivers import RECEIVERS

_SHARE, _TEMPLATES = Path("/usr/share"), "prometheus/alertmanager"


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """One that answers at `url`; Prometheus wants its `address`."""

    url: str
    address: str


def provide(on_progress: process.Progress | None = None) -> tuple[Path, list[str]]:
    """Its program, fetched where it is missing, and the words that go before the command that starts it.

    Debian's reads its templates from /usr/share alone. Where its package was only unpacked, that folder is
    the package's for this one process: a mount in a namespace of its own, which needs no rights.

    Raises:
        EnvironmentProblem: it can neither be found nor fetched, or this machine allows no such mount.
    """
    binary = fetched.provide(fetched.ALERTMANAGER, on_progress=on_progress)
    share = binary.parents[1] / "share"
    if share == _SHARE or not (share / _TEMPLATES).is_dir() or (_SHARE / _TEMPLATES).is_dir():
        return binary, []
    before = ["unshare", "-rm", "sh", "-c", 'mount --bind "$0" /usr/share && exec "$@"', str(share)]
    try:
        done = subprocess.run([*before, "true"], capture_output=True, text=True, timeout=10, check=False)
        why = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    except OSError as error:
        why = [str(error)]
    if why:
        raise EnvironmentProblem(
            f"Debian's Alertmanager wants its templates in /usr/share, and they cannot be mounted there "
            f"({why[0]}): apt-get install prometheus-alertmanager"
        )
    return binary, before


@contextlib.contextmanager
def running(
    *,
    receivers: Mapping[str, str],
    data_dir: Path,
    log_dir: Path,
    on_progress: process.Progress | None = None,
) -> Iterator[Alertmanager]:
    """Run it for the length of the `with` block.

    Args:
        receivers: name of a setting → its addresses; those of `RECEIVERS` count.
        data_dir: silences, and what was told already, are kept here; its configuration, which holds secrets,
            can be read by its owner only.
        log_dir: gets `alertmanager.log`.
        on_progress: told what is being waited for.

    Raises:
        EnvironmentProblem: there is none and none to be fetched, or it does not start.
    """
    binary, before = provide(on_progress)
    data_dir.mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{free_port()}"
    command = process.Command(
        [
            *before,
            "sh",
            str(paths.alertmanager_start()),
            f"--storage.path={data_dir / 'data'}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ],
        "Alertmanager",
        log_dir / "alertmanager.log",
        env={
            **{name: value for name, value in os.environ.items() if name not in RECEIVERS},
            **{name: value for name, value in receivers.items() if name in RECEIVERS},
            "ALERTMANAGER_START": str(binary),
            "ALERTMANAGER_CONFIG": str(data_dir / "alertmanager.yml"),
        },
    )
    with process.running(command, ready=answers(f"http://{address}/-/ready"), on_progress=on_progress):
        yield Alertmanager(f"http://{address}", address)
