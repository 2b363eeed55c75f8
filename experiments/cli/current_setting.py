"""The setting that the gateway has today: what the user says it is, else the environment, else the
defaults.
"""

from collections.abc import Mapping

from experiments.errors import UserError
from gateway.settings import LiveSettings

NAMES = tuple(name.upper() for name in LiveSettings.model_fields)


def given(text: str | None, environment: Mapping[str, str]) -> dict[str, str]:
    """`MAX_ACTIVE=4,QUEUE_MAX=50` over the gateway's own variables in `environment`, by field name; what
    neither names is left out.

    Raises:
        UserError: a word that is not NAME=VALUE, or a name that is none of the gateway's limits.
    """
    found = {name: environment[name] for name in NAMES if environment.get(name)}
    for word in (text or "").split(","):
        name, equals, value = word.strip().partition("=")
        if not word.strip():
            continue
        if not equals or name.strip().upper() not in NAMES:
            raise UserError(
                f"--current {word.strip()!r}: write NAME=VALUE, the name one of {', '.join(NAMES)}"
            )
        found[name.strip().upper()] = value.strip()
    return {name.lower(): value for name, value in found.items()}
