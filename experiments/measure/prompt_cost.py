"""What words cost in an engine's prompts: measured once a sweep, not once a cell.

Seventy questions to `/tokenize` are nothing at the start of a sweep, and a disturbance between its cells:
they run on the core of the engine that still answers the last requests.
"""

from pathlib import Path

import httpx

from experiments.files import write_json
from experiments.run_folder.folder import RunDir
from experiments.stack.engine import Engine
from loadtests.planning.prompts import ONE_EACH, Messages, TokenCost, calibrate
from loadtests.reach import http_client
from loadtests.reach.endpoint import Endpoint


def measured(engine: Endpoint, model: str) -> TokenCost:
    """Asked of the engine's `/tokenize`; one token a word where it has none or answers nonsense."""
    with http_client.client(engine, 10.0) as http:

        def count(messages: Messages) -> int:
            asked = {"model": model, "messages": messages}
            return int(http.post("/tokenize", json=asked).raise_for_status().json()["count"])

        try:
            return calibrate(count)
        except (httpx.HTTPError, LookupError, ValueError, TypeError):
            return ONE_EACH


def of_run(run: RunDir, engine: Engine) -> Path | None:
    """The file in the run's folder that its generators share; None where the engine's address is not known
    and each has to ask the gateway."""
    if engine.endpoint is None:
        return None
    path = run.path / "prompt_cost.json"
    if not path.exists():
        write_json(path, measured(engine.endpoint, engine.model).to_json())
    return path
