"""A certificate authority of the test's own, and a certificate of it for this machine."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_NAMES = "subjectAltName=DNS:localhost,DNS:engine.test,IP:127.0.0.1,IP:::1"


@dataclass(frozen=True, slots=True)
class Authority:
    """ca: what SSL_CERT_FILE names; certificate and key: of a server."""

    ca: Path
    certificate: Path
    key: Path


def made(folder: Path) -> Authority:
    """Both, in `folder`; the test is skipped where there is no openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    ca_key, request = folder / "ca.key", folder / "server.csr"
    authority = Authority(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _openssl(
        *("req", "-x509", *curve, "-keyout", ca_key, "-out", authority.ca, "-days", "2"),
        *("-subj", "/CN=our own CA", "-addext", "keyUsage=critical,keyCertSign"),
    )
    _openssl("req", *curve, "-keyout", authority.key, "-out", request, "-subj", "/CN=localhost")
    names = folder / "names"
    names.write_text(_NAMES)
    _openssl(
        *("x509", "-req", "-in", request, "-CA", authority.ca, "-CAkey", ca_key, "-CAcreateserial"),
        *("-days", "2", "-extfile", names, "-out", authority.certificate),
    )
    return authority


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60)
