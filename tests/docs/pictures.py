"""Pictures of the example report: `python -m tests.docs.pictures` writes docs/img/report*.png.

Needs only a Chromium. The run is docs/examples/vllm-cpu-standard unless another is named.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from reports import NotARunError, load, page
from tests import browser

DOCS = Path(__file__).resolve().parents[2] / "docs"
RUN = DOCS / "examples" / "vllm-cpu-standard"
LARGEST = 200_000


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: the window in CSS pixels, its style, and from which element on (a CSS selector)."""

    name: str
    width_px: int
    height_px: int
    dark: bool = False
    paper: bool = False
    start: str = "body"
    script: str = ""


OPEN_FIRST = "document.querySelectorAll('#each details.cell[open]').forEach((d, i) => { d.open = i === 0; })"
MOVE = """for (const [name, value] of [['ttft_s', 1000], ['tpot_s', 25], ['attainment', 90]]) {
  const field = document.getElementById('judge-' + name);
  field.value = value;
  field.dispatchEvent(new Event('input'));
}"""
PICTURES = (
    Picture("report", 1440, 1120),
    Picture("report-dark", 1440, 1120, dark=True),
    Picture("report-768", 768, 1120),
    Picture("report-390", 390, 844),
    Picture("report-390-dark", 390, 844, dark=True),
    Picture("report-print", 794, 1123, paper=True),
    Picture("report-bend", 1440, 860, start="#bend"),
    Picture("report-judge", 1440, 900, start="#judge", script=MOVE),
    Picture("report-judge-390-dark", 390, 844, dark=True, start="#judge", script=MOVE),
    Picture("report-tables", 1440, 900, start="#cells"),
    Picture("report-cell", 1440, 760, start="#each details.cell[open]", script=OPEN_FIRST),
)


async def draw(run: Path, folder: Path) -> list[Path]:
    """Render a run's report and write every picture of it into `folder`.

    Raises:
        RuntimeError: there is no Chromium, it complains about the page, or a picture is larger than 200 kB.
    """
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.html"
        report.write_text(page.render(load(run)), encoding="utf-8")
        async with browser.page() as tab:
            drawn = [(picture, await _take(tab, picture, report.as_uri())) for picture in PICTURES]
            if tab.complaints:
                raise RuntimeError(f"The browser complains: {tab.complaints}")
    return [write(folder / f"{picture.name}.png", png) for picture, png in drawn]


async def _take(tab: browser.Page, picture: Picture, address: str) -> bytes:
    await tab.look(picture.width_px, picture.height_px, dark=picture.dark, paper=picture.paper)
    await tab.open(address)
    if picture.script:
        await tab.run(picture.script)
    top = await tab.run(f"document.querySelector({picture.start!r}).getBoundingClientRect().top + scrollY")
    return await tab.png(top=max(0.0, float(top) - 12), size=(picture.width_px, picture.height_px))


def write(path: Path, png: bytes) -> Path:
    """256 colours, chosen so that rare ones stay: the file is half as large."""
    method, dither = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
    small = Image.open(io.BytesIO(png)).convert("RGB").quantize(256, method=method, dither=dither)
    small.save(path, optimize=True)
    if path.stat().st_size > LARGEST:
        raise RuntimeError(f"{path.name} is larger than {LARGEST // 1000} kB.")
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Write the pictures; 0: all are there, 1: no browser, or it complains, 2: no such run."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.docs.pictures", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("run", nargs="?", type=Path, default=RUN, help="the folder of a run")
    parser.add_argument("--to", type=Path, default=DOCS / "img", metavar="DIR", help="(default docs/img)")
    options = parser.parse_args(argv)
    try:
        for path in asyncio.run(draw(options.run, options.to)):
            print(f"{path} {path.stat().st_size // 1000} kB")
    except NotARunError as error:
        print(error, file=sys.stderr)
        return 2
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
