"""Learning from a recording: `tune --recorded` and `calibrate --recorded`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.calibration.calibration_file import Calibration
from experiments.calibration.undisturbed import UndisturbedFit
from experiments.cli import recorded_flags
from experiments.cli.learn_args import LearnOptions
from experiments.design.cells import settings_of
from experiments.design.objective import queue_timeout_s
from experiments.errors import EnvironmentProblem
from experiments.files import write_json
from experiments.learning import learning, recorded, text
from experiments.learning.fitted import EngineBounds, Learned, learn
from experiments.learning.lasting import Growth
from experiments.learning.learning import Question
from experiments.spec.setting import Setting
from experiments.stack.engine_facts import EngineFacts


def run(options: LearnOptions) -> int:
    """Learn, write learned.json and the model into the folder, print what it says. Exit code 0.

    Raises:
        UserError: the recording cannot be read or holds too little.
        EnvironmentProblem: the folder cannot be written.
    """
    began_s = time.monotonic()
    growth = Growth.parse(options.growth) if options.growth else None
    of = recorded.read(options.folder, options.times)
    bounds = EngineBounds(options.max_num_seqs, options.max_num_batched_tokens, options.kv_tokens)
    question = Question(
        options.present, options.slo, bounds, _matrix(options), options.scales, growth, options.seed
    )
    found = learning.answer(of, question, _say)
    _write(options.out, calibration_of(found.learned, options.folder))
    write_json(options.out / "learned.json", found.told.to_json())
    print(text.said(found.told))
    print(options.out / "learned.json")
    _say(f"{time.monotonic() - began_s:.1f} s")
    return 0


def calibrate(args: argparse.Namespace) -> int:
    """Only the model. Exit code 0 when it came out as recorded where it was not fitted, 1 when not.

    Raises:
        UserError, EnvironmentProblem: as `run`.
    """
    recorded_flags.check_bounds(args)
    of = recorded.read(args.recorded, recorded_flags.times(args))
    bounds = EngineBounds(args.max_num_seqs, args.max_num_batched_tokens, args.kv_tokens)
    learned = learn(of.production, bounds, args.seed)
    _write(args.out, calibration_of(learned, args.recorded))
    gate = learned.gate
    for note in (*of.notes, *learned.held.missing, *learned.fit.remarks):
        print(f"note: {note}")
    print(f"{'accepted' if gate.passed else 'REFUSED'}: {gate.why}\n{args.out / 'profile.json'}")
    return 0 if gate.passed else 1


def calibration_of(learned: Learned, folder: Path) -> Calibration:
    """As every calibration is kept: `predict` and `tune` take it."""
    facts = EngineFacts(
        max_model_len=learned.profile.max_model_len,
        block_size=learned.profile.block_size,
        num_gpu_blocks=learned.profile.num_gpu_blocks,
        max_num_seqs=learned.profile.max_num_seqs,
    )
    undisturbed = UndisturbedFit(learned.fit, learned.kept, learned.speed_sd)
    label = f"the engine behind the recording {folder.name}"
    return Calibration(learned.profile, label, facts, undisturbed, learned.rows, learned.gate)


def _matrix(options: LearnOptions) -> learning.Matrix | None:
    spec = options.matrix
    if spec is None:
        return None

    def settings(idle_ttft_s: float) -> Sequence[Setting]:
        return settings_of(spec, queue_timeout_s(options.slo.longest_ttft_s, idle_ttft_s))

    return settings


def _write(out: Path, found: Calibration) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        found.write(out)
    except OSError as error:
        raise EnvironmentProblem(f"{out} cannot be written: {error.strerror}") from error


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
