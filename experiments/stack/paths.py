"""Where things of this checkout are: one place for each path that more than one module needs."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""

TOOLS = ROOT / ".tools"
"""Programs fetched for the project."""

VLLM_VENV = ROOT / ".venv-vllm"
"""vLLM's own virtual environment (it pins FastAPI)."""

RULES = ROOT / "monitoring" / "prometheus"
"""Recording and alerting rules, `*.rules.yml`."""
