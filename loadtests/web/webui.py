"""Our part of Locust's web UI: the LLM tab, the /llm page, downloads, the check of the form, the login."""

from __future__ import annotations

import copy
import hmac
import secrets
import zipfile
from argparse import Namespace
from io import BytesIO
from pathlib import Path

from flask import Response, jsonify, redirect, request, session
from flask_login import login_user  # type: ignore[import-untyped] # it ships no types
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.wrappers import Response as BaseResponse

from loadtests.recording.run_folder import LOAD, PLAN, RECORDS
from loadtests.running import logins
from loadtests.running.conductor import Conductor
from loadtests.running.locust_types import LocustEnvironment, LocustWebUi
from loadtests.web.live_page import latency_rows, live_page, state_rows, to_json

_PAGE = Path(__file__).with_name("llm.html")
_TAB, _STATE_TAB = "llm", "llm_state"
_COLUMNS = (
    ("name", "Latency"),
    ("n", "Samples"),
    ("p50", "p50 (ms)"),
    ("p95", "p95 (ms)"),
    ("p99", "p99 (ms)"),
)
_STATE = (("what", "Now"), ("value", "Value"))


class WebUi:
    """Adds everything to a Locust WebUI before it starts."""

    def __init__(self, web_ui: LocustWebUi, conductor: Conductor, environment: LocustEnvironment) -> None:
        self._ui = web_ui
        self._conductor = conductor
        self._environment = environment
        self._base = environment.parsed_options.web_base_path or ""
        self._add_tab()
        self._add_routes()
        if environment.parsed_options.web_login:
            self._add_login(environment.parsed_options)

    def _add_tab(self) -> None:
        tabs = [{"title": "LLM", "key": _TAB}, {"title": "LLM state", "key": _STATE_TAB}]
        tables = [
            {"key": _TAB, "structure": [{"key": key, "title": title} for key, title in _COLUMNS]},
            {"key": _STATE_TAB, "structure": [{"key": key, "title": title} for key, title in _STATE]},
        ]
        files = [
            {"href": f"{self._base}/llm", "title": "Live charts"},
            {"href": f"{self._base}/llm/records.jsonl", "title": "Records (JSON lines)"},
            {"href": f"{self._base}/llm/run.zip", "title": "Run folder (zip)"},
        ]
        self._ui.template_args.update(extended_tabs=tabs, extended_tables=tables, extended_csv_files=files)

    def _add_routes(self) -> None:
        app, guard = self._ui.app, self._ui.auth_required_if_enabled
        for path, view in (
            ("/llm", self._page),
            ("/llm/series.json", self._series),
            ("/llm/records.jsonl", self._records),
            ("/llm/run.zip", self._zip),
        ):
            app.add_url_rule(f"{self._base}{path}", endpoint=f"headroom {path}", view_func=guard(view))
        app.before_request(self._check_form)
        app.after_request(self._extend_stats)

    # The tab and the page.

    def _extend_stats(self, response: Response) -> Response:
        if request.path == f"{self._base}/stats/requests" and response.is_json:
            run = self._conductor.run
            content = response.get_json()
            content["extended_stats"] = [
                {"key": _TAB, "data": latency_rows(run)},
                {"key": _STATE_TAB, "data": state_rows(run)},
            ]
            response.set_data(to_json(content))
        return response

    def _page(self) -> str:
        return _PAGE.read_text(encoding="utf-8")

    def _series(self) -> Response:
        """`?from=K`: only the points from number K on."""
        first_point = request.args.get("from", 0, type=int)
        page = live_page(self._conductor.run, self._conductor.workers_seen(), first_point)
        return Response(to_json(page), mimetype="application/json")

    # Downloads.

    def _records(self) -> Response:
        run = self._conductor.run
        if run is None:
            return Response("no run yet\n", status=404, mimetype="text/plain")
        content = (run.folder.path / RECORDS).read_bytes()
        return _download(content, "records.jsonl", "application/jsonl")

    def _zip(self) -> Response:
        run = self._conductor.run
        if run is None:
            return Response("no run yet\n", status=404, mimetype="text/plain")
        packed = BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in (PLAN, RECORDS, LOAD):
                path = run.folder.path / name
                if path.exists():
                    archive.write(path, name)
        return _download(packed.getvalue(), f"{run.name}.zip", "application/zip")

    # The form and the login.

    def _check_form(self) -> Response | None:
        """Start was pressed: check everything and prepare, or say in one sentence what is wrong."""
        if request.path != f"{self._base}/swarm" or request.method != "POST":
            return None
        if self._ui.web_login and not session.get("_user_id"):
            return None  # Locust's own guard answers
        if self._conductor.busy():
            return self._refused("a run is in progress: stop it first")
        form = request.form.copy()
        if "@" in form.get("host", ""):
            # Locust shows the host that was asked for on its page, and keeps it for the next form.
            form["host"] = logins.clean(self._environment.parsed_options, form["host"]) or ""
            request.form = ImmutableMultiDict(form.items(multi=True))
        options = copy.copy(self._environment.parsed_options)
        for name, value in form.items():
            old = getattr(options, name, None)
            if old is None or isinstance(old, list):
                continue
            try:
                setattr(options, name, value == "true" if isinstance(old, bool) else type(old)(value))
            except ValueError:
                return self._refused(f"{name} = {value!r}: must be a number")
        problem = self._conductor.prepare_for_ui(options, request.form.get("host") or self._environment.host)
        return None if problem is None else self._refused(problem)

    def _refused(self, sentence: str) -> Response:
        return jsonify({"success": False, "message": sentence, "host": self._environment.host})

    def _add_login(self, options: Namespace) -> None:
        """One user, named by --web-user and --web-password, kept in a signed session cookie."""
        if not options.web_user or not options.web_password:
            raise ValueError("--web-login needs --web-user and --web-password")
        self._ui.app.config["SECRET_KEY"] = secrets.token_hex(32)
        self._ui.login_manager.user_loader(_Person)
        self._ui.auth_args = {"username_password_callback": f"{self._base}/llm/login"}

        def login() -> BaseResponse:
            name, password = request.form.get("username", ""), request.form.get("password", "")
            right = hmac.compare_digest(name.encode(), options.web_user.encode())
            right &= hmac.compare_digest(password.encode(), options.web_password.encode())
            if not right:
                session["auth_error"] = "Wrong user name or password"
                return redirect(f"{self._base}/login")
            login_user(_Person(name))
            return redirect(f"{self._base}/")

        self._ui.app.add_url_rule(f"{self._base}/llm/login", "headroom login", login, methods=["POST"])


class _Person:
    """Whoever knows the password, as Flask-Login wants to see him."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, name: str) -> None:
        self._name = name

    def get_id(self) -> str:
        """The name that the session keeps."""
        return self._name


def _download(content: bytes, name: str, kind: str) -> Response:
    return Response(content, mimetype=kind, headers={"content-disposition": f'attachment; filename="{name}"'})
