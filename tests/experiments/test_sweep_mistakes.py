"""What a sweep says when it cannot start: one sentence, the right exit code, no traceback, nothing left
running.
"""

from pathlib import Path

import pytest

from experiments.cli import sweep_args
from experiments.run_folder.folder import open_or_create
from experiments.stack.ports import free_port
from tests.experiments import sweeping


def _said(done_stderr: str) -> str:
    assert "Traceback" not in done_stderr
    return done_stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--max-active", "0"), "max_active"),
        (("--slo", "fast"), "SLO term 'fast'"),
        (("--nonsense",), "--nonsense"),
        (("--spec", "/nowhere.toml"), "cannot read the spec /nowhere.toml"),
    ],
)
def test_the_users_mistake_is_exit_code_2(tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    """Before anything starts, and without a folder made."""
    done = sweeping.run(tmp_path / "run", *flags, timeout_s=30)
    assert done.returncode == 2
    assert said in _said(done.stderr)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("flag", ["--engine-url", "--gateway-url"])
def test_a_server_that_is_not_there_is_exit_code_2(tmp_path: Path, flag: str) -> None:
    """The first line names the address without its password, and says why."""
    port = free_port()
    url = f"http://me:my-word@127.0.0.1:{port}"
    done = sweeping.run(tmp_path / "run", flag, url, "--model", "m", timeout_s=60)
    assert done.returncode == 2, done.stderr
    assert f"http://127.0.0.1:{port} cannot be used: connection refused" in _said(done.stderr).splitlines()[0]
    assert "my-word" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_run_that_was_begun_stays(tmp_path: Path) -> None:
    """Its engine is gone: the same sentence, and what was measured is kept."""
    flags = ("--engine-url", f"http://127.0.0.1:{free_port()}", "--model", "m")
    run, _ = open_or_create(tmp_path, tmp_path / "run", sweep_args.parse(flags).spec, ("test",))
    run.close()
    done = sweeping.run(tmp_path / "run", *flags, timeout_s=60)
    assert done.returncode == 2
    assert "cannot be used: connection refused" in _said(done.stderr)
    assert (tmp_path / "run" / "run.json").exists()


def test_a_gateway_needs_a_model_name(tmp_path: Path) -> None:
    """Nobody can guess what the engine behind it serves."""
    done = sweeping.run(tmp_path / "run", "--gateway-url", "http://127.0.0.1:1", timeout_s=60)
    assert done.returncode == 2
    assert "--model" in _said(done.stderr)


def test_the_help_has_examples() -> None:
    """`--help` is where people start."""
    done = sweeping.run(Path("unused"), "--help", timeout_s=30)
    assert done.returncode == 0
    assert "examples:" in done.stdout
    assert "--budget" in done.stdout
