"""Secrets that are planted, and the forms in which they may turn up."""

import base64
from pathlib import Path
from urllib.parse import quote

USER = "team@corp"
PASSWORD = "pass-w0rd/of:us%"
LOGIN = f"{USER}:{PASSWORD}"
TYPED = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}"
"""As it stands in a URL."""
KEY = "sk-planted-engine-key"
CLIENT_KEY = "sk-planted-client-key"
TOKEN = "planted-admin-token"

FORMS = (
    *(PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD), base64.b64encode(LOGIN.encode()).decode()),
    *(KEY, CLIENT_KEY, TOKEN),
)


def with_login(url: str) -> str:
    """The address with the login in it."""
    return url.replace("//", f"//{TYPED}@", 1)


def found_in(content: bytes) -> list[str]:
    """The planted secrets in it, in any form."""
    return [form for form in FORMS if form.encode() in content]


def found_under(folder: Path) -> dict[str, list[str]]:
    """File → the planted secrets in it, or in its name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {str(path): found_in(path.read_bytes() + str(path).encode()) for path in files}
    return {path: forms for path, forms in found.items() if forms}


def found_in_process_titles() -> dict[str, list[str]]:
    """Command line → the planted secrets in it, of every process of this machine but the tests' own."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if found_in(line) and b"pytest" not in line:
            found[line.replace(b"\0", b" ").decode(errors="replace")] = found_in(line)
    return found
