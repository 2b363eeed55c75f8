"""axe-core in a page: which faults it finds that shut people out.

axe-core is npm's package, fetched once into .tools by npm itself and held to a checksum; nothing of it is in
the repository. The Python packages that carry it bring a browser driver with them, and an older axe-core.
Rules: https://dequeuniversity.com/rules/axe/4.14
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest

from experiments.stack import paths
from tests.browser import Page

VERSION = "4.14.1"
INTEGRITY = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
FETCH_S = 120
GRAVE = ("serious", "critical")
RUN = """axe.run(document, {resultTypes: ["violations"]}).then((found) => found.violations.map((rule) => ({
  rule: rule.id, impact: rule.impact, help: rule.help, where: rule.nodes.map((node) => node.target.join(" ")),
})))"""


def script() -> str:
    """axe-core's JavaScript. Skips the test where it is not there yet and there is no npm.

    Raises:
        RuntimeError: npm could not fetch it, or what came is not what is expected.
    """
    packed = paths.tools() / f"axe-core-{VERSION}.tgz"
    if not packed.exists():
        if shutil.which("npm") is None:
            pytest.skip("axe-core is not here, and no npm to fetch it")
        _fetch(packed)
    content = packed.read_bytes()
    if f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}" != INTEGRITY:
        raise RuntimeError(f"{packed} is not axe-core {VERSION}: remove it")
    with tarfile.open(packed) as archive:
        inside = archive.extractfile("package/axe.min.js")
        assert inside is not None
        return inside.read().decode()


def _fetch(packed: Path) -> None:
    packed.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=packed.parent) as place:
        command = ["npm", "pack", "--silent", f"axe-core@{VERSION}"]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=FETCH_S)
        if done.returncode:
            raise RuntimeError(f"npm could not fetch axe-core: {done.stderr.strip()[-300:]}")
        # One step, so that tests side by side never read half a file.
        next(Path(place).glob("*.tgz")).replace(packed)


async def grave_faults(page: Page, width_px: int = 1440) -> list[str]:
    """The serious and critical faults of the page as it stands, in the light and in the dark scheme: theme,
    rule, what is wrong, and the first places (CSS selectors). None when all is well.
    """
    return [
        f"{theme}: {fault['rule']}: {fault['help']}: {', '.join(fault['where'][:3])}"
        for theme, found in (await faults(page, width_px)).items()
        for fault in found
        if fault["impact"] in GRAVE
    ]


async def faults(page: Page, width_px: int = 1440) -> dict[str, list[dict[str, Any]]]:
    """Everything that axe finds, minor things too, by theme; the page is left in the light one."""
    if not await page.run("typeof axe === 'object'"):
        await page.run(f"{script()}; true")
    found = {}
    for theme in ("dark", "light"):
        await page.look(width_px, 900, dark=theme == "dark")
        # A change of colour that takes its time is measured at its end.
        await page.run("Promise.all(document.getAnimations().map((one) => one.finished)).then(() => true)")
        found[theme] = await page.run(RUN)
    return found
