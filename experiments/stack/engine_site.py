"""A running engine that is asked what it is."""

from __future__ import annotations

import httpx

from experiments.stack.engine_signature import Info, Signature, Told


class Site:
    """A running engine, as far as it was asked.

    Attributes:
        owner: of its first model, by its own word.
        page: its metrics page; None where it has none, or answers with something else there.
    """

    def __init__(self, client: httpx.Client, owner: str | None, page: str | None) -> None:
        """`client` asks at the engine's URL, without /v1."""
        self.owner = owner
        self.page = page
        self._client = client

    def info(self, path: str) -> Info | None:
        """The JSON object at `path`; None where there is none."""
        answer = self._get(path)
        try:
            content = answer.json() if answer is not None else None
        except ValueError:
            return None
        return content if isinstance(content, dict) else None

    def told(self, signature: Signature) -> tuple[str, Told] | None:
        """The first of the kind's pages that answers as one of its kind does, and what it says."""
        for path in signature.pages:
            info = self.info(path)
            told = signature.read(info) if info is not None else None
            if told is not None:
                return path, told
        return None

    def _get(self, path: str) -> httpx.Response | None:
        try:
            answer = self._client.get(path)
        except httpx.HTTPError:
            return None
        return answer if answer.status_code == 200 else None
