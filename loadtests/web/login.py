"""The login of the web UI: one user, named by --web-user and --web-password."""

from __future__ import annotations

import hmac
import secrets
from argparse import Namespace

from flask import redirect, request, session
from flask_login import login_user  # type: ignore[import-untyped] # it ships no types
from werkzeug.wrappers import Response

from loadtests.running.locust_types import LocustWebUi


def add(web_ui: LocustWebUi, options: Namespace, base: str) -> None:
    """Asks everybody for name and password, and keeps them in a signed session cookie.

    Raises ValueError without name or password.
    """
    if not options.web_user or not options.web_password:
        raise ValueError("--web-login needs --web-user and --web-password")
    web_ui.app.config.update(SECRET_KEY=secrets.token_hex(32), SESSION_COOKIE_SAMESITE="Lax")
    web_ui.login_manager.user_loader(_Person)
    web_ui.auth_args = {"username_password_callback": f"{base}/llm/login"}

    def login() -> Response:
        name, password = request.form.get("username", ""), request.form.get("password", "")
        right = hmac.compare_digest(name.encode(), options.web_user.encode())
        right &= hmac.compare_digest(password.encode(), options.web_password.encode())
        if not right:
            session["auth_error"] = "Wrong user name or password"
            return redirect(f"{base}/login")
        login_user(_Person(name))
        return redirect(f"{base}/")

    web_ui.app.add_url_rule(f"{base}/llm/login", "headroom login", login, methods=["POST"])


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
