"""Hands pip's own configuration to uv, which does not read it. Standard library only: set-up runs it before
anything else is installed (`eval "$(python experiments/stack/pip_to_uv.py)"`).
"""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys

VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
}
"""pip's option → the environment variable that says the same to uv."""


def uv_environment() -> dict[str, str]:
    """Variables that make uv look where pip would; those already set are the user's and stay out.

    Like pip, uv then takes the best version of all indexes, not the first index that knows the name.
    """
    variables = {
        VARIABLES[option]: value
        for option, value in pip_configuration().items()
        if option in VARIABLES and value
    }
    if "UV_FIND_LINKS" in variables:  # pip separates with spaces, uv with commas
        variables["UV_FIND_LINKS"] = ",".join(variables["UV_FIND_LINKS"].split())
    variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: " ".join(value.split()) for name, value in variables.items() if name not in os.environ}


def pip_configuration() -> dict[str, str]:
    """pip's settings by option name (`find-links`, …); environment variables win over files, as in pip."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    from_files, from_environment = {}, {}
    for line in done.stdout.splitlines():
        key, _, quoted = line.partition("=")
        section, _, option = key.rpartition(".")
        value = str(ast.literal_eval(quoted)) if quoted[:1] in ("'", '"') else quoted
        if section in ("global", "install"):
            from_files[option] = value
        elif section == ":env:":
            from_environment[option] = value
    return from_files | from_environment


if __name__ == "__main__":
    for name, value in uv_environment().items():
        print(f"export {name}={shlex.quote(value)}")
