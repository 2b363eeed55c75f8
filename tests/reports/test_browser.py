"""The page in a real browser: no complaint, no sideways scrolling, and the script does its work."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")


def _dump(page: Path, profile: Path) -> tuple[str, str]:
    """The page's document after its scripts ran, and what the browser logged."""
    quiet = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
    ]
    told = [
        f"--user-data-dir={profile}",
        "--enable-logging=stderr",
        "--virtual-time-budget=4000",
        "--dump-dom",
    ]
    command = [str(BROWSER), *quiet, *told, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    return done.stdout, done.stderr


def test_the_console_stays_empty_and_the_script_runs(html: str, tmp_path: Path) -> None:
    """Filters and sort buttons are added by the script; without them the page is still whole."""
    page = tmp_path / "report.html"
    page.write_text(html)
    document, log = _dump(page, tmp_path / "profile")
    assert "CONSOLE" not in log
    assert 'class="js"' in document
    assert document.count('class="filter"') >= 4
    panels = re.findall(r'<div class="panel"[^>]*>', document)
    shown = [panel for panel in panels if "hidden" not in panel]
    assert len(shown) == document.count('role="tablist"') < len(panels)


@pytest.mark.parametrize("width_px", [390, 768, 1440])
def test_nothing_sticks_out_sideways(html: str, tmp_path: Path, width_px: int) -> None:
    """Wide tables and figures scroll inside themselves; the page does not."""
    opened = html.replace('<details class="cell"', '<details open class="cell"')
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(
        f"""<!doctype html><body><iframe style="width:{width_px}px;height:900px;border:0"></iframe><script>
        const frame = document.querySelector("iframe");
        frame.addEventListener("load", () => {{
          document.title = "width " + frame.contentDocument.documentElement.scrollWidth;
        }});
        frame.srcdoc = {json.dumps(opened).replace("</", "<" + chr(92) + "/")};
        </script></body>"""
    )
    document, _ = _dump(wrapper, tmp_path / "profile")
    measured = re.search(r"<title>width (\d+)</title>", document)
    assert measured is not None
    assert int(measured[1]) <= width_px
