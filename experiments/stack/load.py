"""One Locust process that plays one arrival plan: made ready first, then started to the moment."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from experiments.stack import paths, process
from loadtests.planning.optional_fields import ALL_FIELDS, OptionalFields
from loadtests.reach import handed_down
from loadtests.reach.endpoint import Endpoint
from loadtests.reach.handed_down import API_KEY_VARIABLE


@dataclass(frozen=True, slots=True)
class LoadJob:
    """What one Locust process is to do.

    Attributes:
        target: the gateway (or a bare engine).
        model: the model every request names.
        plan_file: as `loadtests.planning.plan` wrote it.
        run_dir: gets plan.json, records.jsonl and load.json.
        log_path: Locust's own output.
        slo: judged per request, such as `ttft<=1s,tpot<=60ms`; None: Locust's default.
        drain_s: seconds that requests in flight may take after the plan's end; None: Locust's default.
        metrics_port: the generator's own metrics; None: none.
        metrics_host: the address of this machine that they listen on.
        tokenizer: the engine whose /tokenize makes prompts token-exact; None: `target`.
        prompt_cost_file: what words cost in tokens, measured before; None: the generator asks.
        cpus: the CPU numbers it may use; None: all.
        fields: what every request asks beyond the plain API.
    """

    target: Endpoint
    model: str
    plan_file: Path
    run_dir: Path
    log_path: Path
    slo: str | None = None
    drain_s: float | None = None
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    tokenizer: Endpoint | None = None
    prompt_cost_file: Path | None = None
    cpus: Collection[int] | None = None
    fields: OptionalFields = ALL_FIELDS

    def argv(self, go_file: Path) -> list[str]:
        """The command line; the load begins when `go_file` is there."""
        words = [sys.executable, "-m", "locust", "-f", str(paths.locustfile())]
        words += ["--headless", "--only-summary", "-L", "WARNING", "--host", self.target.url]
        words += ["--model", self.model]
        words += ["--run-dir", str(self.run_dir.resolve()), "--plan-file", str(self.plan_file.resolve())]
        words += ["--go-file", str(go_file)]
        optional = {
            "--slo": self.slo,
            "--drain": None if self.drain_s is None else f"{self.drain_s:g}",
            "--metrics-port": self.metrics_port,
            "--metrics-host": None if self.metrics_port is None else self.metrics_host,
            "--tokenize-url": self.tokenizer and self.tokenizer.url,
            "--lengths": None if self.fields.lengths is ALL_FIELDS.lengths else self.fields.lengths,
            "--usage": None if self.fields.usage is ALL_FIELDS.usage else self.fields.usage,
            "--prompt-cost-file": self.prompt_cost_file and self.prompt_cost_file.resolve(),
        }
        for flag, value in optional.items():
            words += [] if value is None else [flag, str(value)]
        return words

    def environment(self) -> dict[str, str]:
        """Of the process; credentials are in it, which a command line would show to everybody."""
        return environment() | handed_down.to_environment(filter(None, (self.target, self.tokenizer)))


@dataclass(frozen=True, slots=True)
class LoadProcess:
    """A Locust process; whoever starts it calls `stop`, which does nothing once it has ended."""

    child: process.Child
    go_file: Path

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Return when the generator has prepared every request of its plan.

        Raises:
            StartFailed: it ended, or was not ready after `timeout_s` seconds.
        """
        process.await_ready(self.child, self._ready_file.exists, timeout_s, None)

    def go(self) -> float:
        """Let the load begin; returns our monotonic time of it, seconds. It begins within about 10 ms."""
        _put_first(self.child.pid)
        self.go_file.touch()
        return time.monotonic()

    def forget_start(self) -> None:
        """Remove the files of the start signal, which say nothing once the run is over."""
        for signal in (self.go_file, self._ready_file):
            signal.unlink(missing_ok=True)

    @property
    def _ready_file(self) -> Path:
        return self.go_file.with_name(self.go_file.name + ".ready")

    def wait_result(self, timeout_s: float) -> bool:
        """Whether load.json is there, or the process has ended without it, within `timeout_s` seconds.

        The file comes before the process is gone: tearing down Locust takes longer than writing it.
        """
        give_up_s = time.monotonic() + timeout_s
        while not (self.result_file.exists() or self.child.exit_code() is not None):
            if time.monotonic() > give_up_s:
                return False
            time.sleep(0.01)
        return True

    @property
    def result_file(self) -> Path:
        """load.json, written by a rename once every request has its record."""
        return self.go_file.with_name("load.json")

    def wait(self, timeout_s: float) -> int | None:
        """The generator's exit code, or None when it still runs after `timeout_s` seconds."""
        return self.child.wait(timeout_s)

    def stop(self) -> None:
        """End it and everything it started."""
        self.child.stop()


def start(job: LoadJob) -> LoadProcess:
    """Start Locust headless on the job's plan; it prepares every request, then waits for `go`.

    Raises:
        StartFailed: it cannot be started.
    """
    job.run_dir.mkdir(parents=True, exist_ok=True)
    run_dir = job.run_dir.resolve()  # the generator runs in it: a locust.conf in our folder must not count
    go_file = run_dir / "go"
    for left_over in (go_file, go_file.with_name("go.ready")):
        left_over.unlink(missing_ok=True)
    command = process.Command(
        job.argv(go_file),
        "the load generator",
        job.log_path,
        env=job.environment(),
        cwd=run_dir,
        cpus=job.cpus,
        grace_s=10,
    )
    return LoadProcess(process.start(command), go_file)


def _put_first(pid: int) -> None:
    """Let the generator run as soon as a request is due, also on a busy machine, where the
    system allows it (root).

    It uses a few percent of a core, and an instrument that waits for a turn measures the waiting. Threads
    and processes that it starts later inherit this.
    """
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))


def environment() -> dict[str, str]:
    """Ours, and where our packages are; without LOCUST_… variables, which Locust would take for arguments,
    and without keys, which may be for other servers."""
    dropped = (API_KEY_VARIABLE, handed_down.VARIABLE)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("LOCUST_") and name not in dropped
    }
    return kept | paths.import_path()
