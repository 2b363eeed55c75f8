"""Where things are: what ships beside the code, and where what is fetched or made is kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

CODE = Path(__file__).resolve().parents[2]
"""The folder that holds our packages: a checkout, or an environment's site-packages."""


def checkout(code: Path = CODE) -> Path | None:
    """The checkout that the code runs in; None when it was installed from a wheel."""
    return code if (code / "pyproject.toml").is_file() else None


def home(environ: Mapping[str, str] = os.environ, code: Path = CODE) -> Path:
    """Where we keep things: the folder $HEADROOM_HOME, else the checkout, else the working folder."""
    named = environ.get("HEADROOM_HOME")
    return Path(named).expanduser().resolve() if named else checkout(code) or Path.cwd()


def tools() -> Path:
    """Programs fetched for the project."""
    return home() / ".tools"


def vllm_venv() -> Path:
    """vLLM's own virtual environment (it pins FastAPI)."""
    return home() / ".venv-vllm"


def cache() -> Path:
    """What was computed once and can be made again."""
    return home() / ".cache"


def compose() -> Path:
    """The folder of the compose stack; only a checkout has one."""
    return home() / "compose"


def compose_env() -> Path:
    """The variables of the compose stack, where `make up` writes them."""
    return compose() / ".env"


def rules() -> Path:
    """Recording and alerting rules, `*.rules.yml`."""
    return Path(str(resources.files("monitoring"))) / "prometheus"


def alertmanager_start() -> Path:
    """The script that writes Alertmanager's configuration from ALERT_… and starts it."""
    return Path(str(resources.files("monitoring"))) / "alertmanager" / "entrypoint.sh"


def locustfile() -> Path:
    """The one locustfile. `loadtests.locustfile` must not be imported to find it: that starts Locust."""
    return Path(str(resources.files("loadtests"))) / "locustfile.py"


def import_path() -> dict[str, str]:
    """The variable that lets a process of ours import our packages wherever it runs; none when installed."""
    own = checkout()
    if own is None:
        return {}
    given = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(own), given] if given else [str(own)])}
