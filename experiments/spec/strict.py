"""What all sections of a spec have in common."""

from pydantic import BaseModel, ConfigDict


def listed(value: object) -> object:
    """One value stands for a list of one, so that `max_active = 4` reads as people mean it."""
    return value if isinstance(value, list | tuple) else (value,)


class Strict(BaseModel):
    """An unknown key is an error, never dropped; settings never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
