"""A real nginx with TLS, a login and a path before an engine; as the documentation has it."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from experiments.stack import ports, process
from tests.reaching.authority import Authority

_CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{}}
http {{
  access_log {folder}/access.log; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {authority.certificate}; ssl_certificate_key {authority.key};
    location /team-a/llm/ {{
      auth_basic "team-a"; auth_basic_user_file {folder}/users;
      proxy_pass http://127.0.0.1:{engine_port}/;
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; client_max_body_size 20m;
      proxy_set_header Authorization "Bearer $http_x_api_key";
    }}
  }}
}}
"""


@contextmanager
def before(engine_port: int, authority: Authority, login: str, folder: Path) -> Iterator[str]:
    """The address under which it leads to the engine, without the login; skips where there is no nginx."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        pytest.skip("no nginx on this machine")
    folder.mkdir()
    user, _, password = login.partition(":")
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", "-stdin"], input=password, capture_output=True, text=True, check=True
    )
    (folder / "users").write_text(f"{user}:{hashed.stdout}")
    port = ports.free_port()
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, authority=authority, port=port, engine_port=engine_port))
    command = process.Command([program, "-p", str(folder), "-c", str(config)], "nginx", folder / "nginx.log")
    with process.running(command, ready=lambda: _listens(port)):
        yield f"https://localhost:{port}/team-a/llm"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
