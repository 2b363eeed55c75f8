"""The wheel: what is in it, and that it is all that a sweep outside of a checkout needs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests import browser
from tests.packaging import building
from tests.packaging.building import ROOT

PACKAGES = ("experiments", "gateway", "headroom", "loadtests", "monitoring", "reports")
# A sweep that says nothing about a machine, in a quarter of a minute.
TINY = (
    *("--engine", "emulator", "--max-active", "2,8", "--queue-mode", "queue", "--load", "sustained@0.6x"),
    *(
        "--design",
        "grid",
        "--measure",
        "4s",
        "--warm-up",
        "1s",
        "--min-requests",
        "10",
        "--drain",
        "4s",
        "--quiet",
    ),
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from this checkout."""
    return building.wheel(tmp_path_factory.mktemp("dist"))


def tracked(*under: str) -> set[str]:
    """The files that git knows, or that it would not ignore, below these folders."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *under]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {name for name in listed if (ROOT / name).exists()}


def test_every_file_of_every_package_is_in_the_wheel(wheel: Path) -> None:
    """Rules, dashboards, specs, templates and words beside the code; the rules' own tests stay at home, and
    nothing else comes along.
    """
    names = set(zipfile.ZipFile(wheel).namelist())
    inside = {name for name in names if ".dist-info/" not in name}
    assert inside == {
        name for name in tracked(*PACKAGES) if not name.startswith("monitoring/prometheus/tests/")
    }


@pytest.mark.parametrize(
    "name",
    [
        *("monitoring/prometheus/gateway.rules.yml", "monitoring/grafana/dashboards/headroom-overview.json"),
        *("experiments/specs/standard.toml", "experiments/stack/words.txt", "experiments/stack/setup.sh"),
        *("reports/template.html", "reports/page.css", "reports/page.js", "loadtests/web/page/index.html"),
        *(f"{package}/py.typed" for package in PACKAGES),
    ],
)
def test_what_a_command_reads_at_run_time_is_in_the_wheel(wheel: Path, name: str) -> None:
    """By name: a file that is moved must be looked for again."""
    assert name in zipfile.ZipFile(wheel).namelist()


def test_the_console_command_is_declared(wheel: Path) -> None:
    """`headroom` is what an installer puts on the path."""
    archive = zipfile.ZipFile(wheel)
    (entry_points,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
    assert "headroom = headroom.__main__:main" in archive.read(entry_points).decode()


@pytest.mark.prove
@pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine")
def test_a_sweep_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """A fresh environment with nothing but the wheel, an empty folder, one command: a report that a browser
    shows without a complaint. Nothing is written beside the code, and nothing is looked for in the checkout.
    """
    bin_folder = building.environment(tmp_path / "venv", wheel)
    code = next(bin_folder.parent.glob("lib/python3*/site-packages"))
    before = {path.name for path in code.iterdir()}
    empty = tmp_path / "empty"
    empty.mkdir()
    dropped = ("HEADROOM_HOME", "PYTHONPATH", "ENGINE_URL", "MODEL", "GATEWAY_ADMIN_TOKEN")
    env = {name: value for name, value in os.environ.items() if name not in dropped}
    command = [str(bin_folder / "headroom"), "sweep", *TINY]
    done = subprocess.run(command, cwd=empty, env=env, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "MAX_ACTIVE=" in done.stdout
    (report,) = empty.glob("runs/*/report.html")
    heading, text, complaints = asyncio.run(opened(report.as_uri()))
    assert heading == report.parent.name
    assert "EMULATOR" in text
    assert complaints == []
    assert {path.name for path in code.iterdir()} == before
    assert {path.name for path in empty.iterdir()} <= {"runs", ".tools"}
    assert str(ROOT) not in (report.parent / "run.json").read_text()


async def opened(address: str) -> tuple[str, str, list[str]]:
    """The page's heading, its text, and what the browser has against it."""
    async with browser.page() as page:
        await page.open(address)
        heading = await page.run("document.querySelector('h1').innerText")
        return str(heading), str(await page.run("document.body.innerText")), page.complaints
