"""The command line of `tune`: mistakes are one sentence, the dry run starts nothing."""

from pathlib import Path

import pytest

from experiments import tune
from experiments.cli import tune_args
from experiments.cli.tune_args import TuneOptions
from experiments.errors import UserError
from experiments.tuning import command, task_of_run


def test_the_dry_run_says_what_would_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    """Settings, loads, verification and the grid's time, without starting anything."""
    assert tune.main(["--engine", "emulator", "--dry-run"]) == 0
    said = capsys.readouterr().out
    for part in (
        "to predict: ",
        "sustained@1.2x = 18/s",
        "5 cells × 3 blocks",
        "3 traces would take",
        "budget: ",
    ):
        assert part in said


def test_flags_of_a_sweep_replace_the_default_matrix() -> None:
    """What is not given keeps the defaults of tune, not those of a sweep."""
    options = tune_args.parse(["--max-active", "3,5", "--rate", "0.5x"])
    assert options.sweep.spec.gateway.max_active == (3, 5)
    assert options.sweep.spec.gateway.queue_max == (8, 100)
    assert options.sweep.spec.load.loads == ("sustained@0.5x",)


def test_the_stored_command_is_one_of_tune() -> None:
    """It names the served model by its own flag and holds no token."""
    options = tune_args.parse(
        [
            "--served-model",
            "m",
            "--engine-url",
            "http://127.0.0.1:1",
            "--admin-token",
            "secret",
            "--budget",
            "30m",
        ]
    )
    text = " ".join(options.sweep.command)
    assert text.startswith("python -m experiments.tune --budget 1800.0")
    assert "--served-model m" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--model", "no/such.json"], "no such calibration"),
        (["--lengths", "free"], "the model of tune plays planned answer lengths"),
        (["--traces", "1"], "--traces 1 must be at least 3"),
        (["--budget", "soon"], "is not a span of time"),
        (["--max-num-seqs", "8,16"], "one engine and one model"),
        (["--gateway-url", "http://127.0.0.1:1", "--served-model", "m"], "cannot be calibrated"),
        (["--slo", "ttft<=fast"], "SLO term"),
        (["--no-such-flag"], "no-such-flag"),
    ],
)
def test_a_mistake_is_one_sentence(flags: list[str], sentence: str) -> None:
    """Found before anything starts."""
    with pytest.raises(UserError, match=sentence) as error:
        tune_args.parse(flags)
    assert "\n" not in str(error.value)


def opened(options: TuneOptions) -> Path:
    """The folder that a run of these options works in."""
    run, _ = command._open(options)
    run.close()
    return run.path


def test_a_resumed_run_must_be_of_the_same_model(tmp_path: Path) -> None:
    """The model and the effort belong to what a run is resumed by."""
    (tmp_path / "profile.json").write_text("{}")
    runs = ["--runs", str(tmp_path / "runs")]
    plain = tune_args.parse(runs)
    given = tune_args.parse([*runs, "--model", str(tmp_path)])
    assert command._request(plain) != command._request(given)
    begun = opened(plain)
    assert not command._is_unfinished(begun, given)
    assert opened(plain) == begun
    assert "made first" in task_of_run.dry_run(plain)
    assert str(tmp_path) in task_of_run.dry_run(given)


def test_a_sweep_by_the_model_means_what_it_says() -> None:
    """A sweep's `--model` is what the engine serves; `tune` calls its calibration so."""
    words = ["--model", "qwen", "--calibration=profile.json", "--max-active", "4"]
    assert tune_args.of_sweep(words) == [
        "--served-model",
        "qwen",
        "--model=profile.json",
        "--max-active",
        "4",
    ]
