"""cell.json: what was set for a cell, written before its summary."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.run_folder.stored_setting import StoredSetting
from gateway.limits import Limits


@dataclass(frozen=True, slots=True)
class AppliedSetting:
    """What was set for a cell, and what the gateway said was in force."""

    id: str
    setting: StoredSetting
    in_force: Limits
    """read back from the gateway, with its version"""
    lanes_version: int | None = None
    """of the lanes read back from the gateway, where the setting has some"""
