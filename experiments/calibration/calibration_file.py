"""What a calibration writes into its folder: profile.json, calibration.json and answers.json."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from experiments.calibration.fit import FitRow
from experiments.calibration.gate import CalibrationGate
from experiments.calibration.read_back import DRAW_NAMES
from experiments.calibration.undisturbed import UndisturbedFit
from experiments.files import write_bytes, write_json
from experiments.observe.ask import StreamedAnswer
from experiments.stack.engine_facts import EngineFacts
from experiments.twin.profile import Profile


@dataclass(frozen=True, slots=True)
class Calibration:
    """The result of a calibration.

    Attributes:
        profile: the fitted engine.
        label, facts: of the engine that it was fitted to.
        fit: its parameters and their uncertainty.
        rows: all that could be fitted.
        gate: whether it may be used.
        answers: what every client got, by the name of its part; none where a measured run was fitted.
        run: name of that run.
    """

    profile: Profile
    label: str
    facts: EngineFacts
    fit: UndisturbedFit
    rows: Sequence[FitRow]
    gate: CalibrationGate
    answers: Sequence[tuple[str, Sequence[StreamedAnswer]]] = ()
    run: str | None = None

    def write(self, folder: Path) -> None:
        """Into `folder`, each file whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        write_json(folder / "profile.json", self.profile.model_dump())
        answers = [{"part": part, **asdict(answer)} for part, answers in self.answers for answer in answers]
        if answers:
            write_bytes(folder / "answers.json", (json.dumps(answers) + "\n").encode())
        write_json(folder / "calibration.json", self.to_json())

    def to_json(self) -> dict[str, object]:
        """The content of calibration.json."""
        engine = {"label": self.label, "facts": self.facts.to_json()}
        return {
            "engine": engine | ({} if self.run is None else {"run": self.run}),
            "fit": _fit(self.fit),
            "rows": [asdict(row) for row in self.rows],
            "gate": self.gate.to_json(),
        }


def _fit(undisturbed: UndisturbedFit) -> dict[str, object]:
    best = undisturbed.fit
    return {
        "values": best.values,
        "low": best.low,
        "high": best.high,
        "relative_error": best.relative_error,
        "condition": best.condition if math.isfinite(best.condition) else None,
        "remarks": best.remarks,
        "speed_sd": undisturbed.speed_sd,
        "parts": len(undisturbed.kept),
        "disturbed_parts": undisturbed.disturbed,
        "draw_names": DRAW_NAMES,
        "all_draws": best.draws.tolist(),
    }
