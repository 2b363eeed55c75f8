"""Our part of Locust's web UI: the page /llm, the LLM tab, downloads, the check of every start, the login."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from flask import Response, jsonify, request, send_file, session
from werkzeug.datastructures import ImmutableMultiDict

from loadtests.recording.run_folder import LOAD, PLAN, RECORDS
from loadtests.running import logins
from loadtests.running.conductor import Conductor
from loadtests.running.locust_types import LocustEnvironment, LocustWebUi
from loadtests.web import door, login, origin
from loadtests.web.form import form
from loadtests.web.history import REPORT, RunsFolder
from loadtests.web.live_page import latency_rows, live_page, state_rows, to_json
from loadtests.web.starting import Problem, Starting

_TAB, _STATE_TAB = "llm", "llm_state"
_COLUMNS = (
    ("name", "Latency"),
    ("n", "Samples"),
    ("p50", "p50 (ms)"),
    ("p95", "p95 (ms)"),
    ("p99", "p99 (ms)"),
)
_STATE = (("what", "Now"), ("value", "Value"))
_REPORT_POLICY = "sandbox allow-scripts allow-popups allow-downloads; frame-ancestors 'none'"
"""For reports that lie in the folder: whatever is in one, it cannot give orders as our page could."""


class WebUi:
    """Adds everything to a Locust WebUI before it starts."""

    def __init__(self, web_ui: LocustWebUi, conductor: Conductor, environment: LocustEnvironment) -> None:
        self._ui = web_ui
        self._conductor = conductor
        self._environment = environment
        self._starting = Starting(conductor, environment)
        self._runs = RunsFolder(Path(environment.parsed_options.runs_dir))
        self._base = environment.parsed_options.web_base_path or ""
        self._add_tab()
        self._add_routes()
        if environment.parsed_options.web_login:
            login.add(web_ui, environment.parsed_options, self._base)

    def _add_tab(self) -> None:
        tabs = [{"title": "LLM", "key": _TAB}, {"title": "LLM state", "key": _STATE_TAB}]
        tables = [
            {"key": _TAB, "structure": [{"key": key, "title": title} for key, title in _COLUMNS]},
            {"key": _STATE_TAB, "structure": [{"key": key, "title": title} for key, title in _STATE]},
        ]
        files = [
            {"href": f"{self._base}/llm", "title": "Headroom: plan, watch, history"},
            {"href": f"{self._base}/llm/records.jsonl", "title": "Records (JSON lines)"},
            {"href": f"{self._base}/llm/run.zip", "title": "Run folder (zip)"},
        ]
        self._ui.template_args.update(extended_tabs=tabs, extended_tables=tables, extended_csv_files=files)

    def _add_routes(self) -> None:
        self._ui.app.before_request(self._refuse_foreign)
        self._add("/llm", door.page)
        self._add("/llm/page/<name>", door.part)
        self._add("/llm/form.json", self._form)
        self._add("/llm/plan", self._plan, "POST")
        self._add("/llm/target", self._target, "POST")
        self._add("/llm/series.json", self._series)
        self._add("/llm/history.json", self._history)
        self._add("/llm/runs/<run>/<name>", self._run_file)
        self._add("/llm/records.jsonl", self._records)
        self._add("/llm/run.zip", self._zip)
        self._ui.app.before_request(self._check_start)
        self._ui.app.after_request(self._extend_stats)
        self._ui.app.after_request(self._show_door)

    def _add(self, path: str, view: Callable[..., Response], method: str = "GET") -> None:
        guarded = self._ui.auth_required_if_enabled(view)
        self._ui.app.add_url_rule(f"{self._base}{path}", f"headroom {path}", guarded, methods=[method])

    # Who asks.

    def _refuse_foreign(self) -> Response | None:
        """Orders, and whatever is ours, are for pages of this server alone."""
        ours = request.path.startswith(f"{self._base}/llm")
        if (ours or request.method == "POST") and origin.foreign(request.method, dict(request.headers)):
            return Response("asked by a page of another site: refused\n", status=403, mimetype="text/plain")
        return None

    # The tab, and the way from Locust's first screen.

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

    def _show_door(self, response: Response) -> Response:
        if request.path == f"{self._base}/" and response.mimetype == "text/html":
            response.set_data(door.with_door(response.get_data(as_text=True), self._base))
        return response

    # What the page asks for.

    def _form(self) -> Response:
        return _json(form(self._environment.parsed_options, self._environment.host))

    def _plan(self) -> Response:
        return _json(self._starting.plan(request.form))

    def _target(self) -> Response:
        return _json(self._starting.target(request.form))

    def _series(self) -> Response:
        """`?from=K`: only the points from number K on."""
        first_point = request.args.get("from", 0, type=int)
        return _json(live_page(self._conductor.run, self._conductor.workers_seen(), first_point))

    def _history(self) -> Response:
        return _json(self._runs.history())

    # Downloads.

    def _run_file(self, run: str, name: str) -> Response:
        path = self._runs.file(run, name)
        if path is None:
            return Response("there is no such run, or it has no such file\n", 404, mimetype="text/plain")
        response = send_file(path.resolve(), as_attachment=name != REPORT, download_name=name)
        if name == REPORT:
            response.headers["Content-Security-Policy"] = _REPORT_POLICY
        return response

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

    # The start, whichever form it comes from.

    def _check_start(self) -> Response | None:
        """Start was pressed: check everything and prepare, or say in one sentence what is wrong."""
        if request.path != f"{self._base}/swarm" or request.method != "POST":
            return None
        if self._ui.web_login and not session.get("_user_id"):
            return None  # Locust's own guard answers
        problem = self._starting.prepare(request.form)
        if problem is not None:
            return self._refused(problem)
        if "@" in request.form.get("host", ""):
            # Locust shows the host that was asked for on its page, and keeps it for the next form.
            kept = request.form.copy()
            kept["host"] = logins.clean(self._environment.parsed_options, kept["host"]) or ""
            request.form = ImmutableMultiDict(kept.items(multi=True))
        return None

    def _refused(self, problem: Problem) -> Response:
        return jsonify(
            {
                "success": False,
                "message": problem.sentence,
                "field": problem.field,
                "reason": problem.reason,
                "host": self._environment.host,
            }
        )


def _json(content: object) -> Response:
    return Response(to_json(content), mimetype="application/json", headers={"Cache-Control": "no-store"})


def _download(content: bytes, name: str, kind: str) -> Response:
    return Response(content, mimetype=kind, headers={"content-disposition": f'attachment; filename="{name}"'})
