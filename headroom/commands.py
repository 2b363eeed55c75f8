"""Which word of `headroom` starts which module. Nothing is imported until a word was chosen."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Protocol, cast


class Main(Protocol):
    """What every command's module has by the name of `main`."""

    def __call__(self, argv: list[str], prog: str) -> int:
        """Run on `argv`, called `prog` in help and mistakes; returns the exit code."""


@dataclass(frozen=True, slots=True)
class Command:
    """One word of `headroom`.

    Attributes:
        name: the word.
        module: what has its `main`; `python -m MODULE` is the same command.
        summary: one line for the help.
    """

    name: str
    module: str
    summary: str

    def main(self) -> Main:
        """Import the module; this is where a command's start-up time goes."""
        return cast(Main, importlib.import_module(self.module).main)


COMMANDS = (
    Command("sweep", "experiments.sweep", "measure a matrix of gateway settings under load, recommend one"),
    Command("tune", "experiments.tune", "the same in a tenth of the engine time: predict, then verify"),
    Command("capacity", "experiments.capacity", "search the largest rate that one setting sustains"),
    Command("compare", "experiments.compare", "compare two runs, cell by cell on the same arrivals"),
    Command("gate", "experiments.gate", "fail a build when goodput fell against a stored run"),
    Command("watch", "experiments.watch", "is the engine still as fast as it was? probes or recorded rows"),
    Command("recommend", "experiments.recommend", "the setting to apply from a run; --apply sets it live"),
    Command("predict", "experiments.predict", "predict a matrix from a calibration, without an engine"),
    Command("calibrate", "experiments.calibrate", "fit the model of an engine to a live one"),
    Command("report", "reports.__main__", "render a run's report; summary, compare and index beside it"),
    Command(
        "explain", "reports.explain.__main__", "why it was slow at a time: causes with what speaks for them"
    ),
    Command(
        "export-trace", "experiments.export_trace", "the records of an earlier run as a trace, to replay"
    ),
    Command("traces", "loadtests.traces", "describe a trace file or a recording before anyone plays it"),
    Command("gateway", "gateway.__main__", "the admission gateway in front of an engine"),
    Command("ui", "experiments.ui", "a local stack with the Locust web UI in front of it"),
    Command("status", "headroom.status", "what of the compose stack runs, where, and how it is"),
    Command("batch", "loadtests.batch.__main__", "a file of requests, sent with what the others leave"),
    Command("load", "headroom.load", "Locust with the project's scenarios; every flag of Locust is taken"),
)
