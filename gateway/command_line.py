"""Reading the settings: from flags, then environment variables of the same names, then defaults."""

import argparse
from collections.abc import Mapping, Sequence
from enum import StrEnum

from pydantic import ValidationError

from gateway import own_arguments, setting_values
from gateway.settings import SECRETS, BadSettingError, Settings, explain


def parser(prog: str = "python -m gateway") -> argparse.ArgumentParser:
    """The command line, which help calls `prog`: one flag a setting, with the environment variable of the
    same name as its default.
    """
    flags = argparse.ArgumentParser(
        prog=prog,
        description="Admission-controlled gateway in front of one vLLM. "
        "Every flag is also an environment variable: --max-active is MAX_ACTIVE.",
        epilog="examples:\n"
        "  %(prog)s                                     the defaults below\n"
        "  %(prog)s --max-active 8 --queue-max 32       more slots, a shorter queue\n"
        "  QUEUE_MODE=reject %(prog)s --gateway-port 0  never wait, any free port",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for name, field in Settings.model_fields.items():
        default = "none" if field.default is None else getattr(field.default, "value", field.default)
        flags.add_argument(
            "--" + name.replace("_", "-"),
            metavar=_metavar(name, field.annotation),
            help=f"{field.description} (default: {default})".replace("%", "%%"),
        )
    return flags


def _metavar(name: str, kind: object) -> str:
    """The values to choose from where there is a choice, else the last word of the name."""
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "|".join(kind)
    return name.rsplit("_", 1)[-1].upper()


def load(arguments: Sequence[str], environ: Mapping[str, str], prog: str = "python -m gateway") -> Settings:
    """Settings from flags, then environment, then defaults.

    How texts of the environment are read: `setting_values.from_environment`. Raises BadSettingError for a
    value that is not allowed; argparse exits with 2 on unknown flags.
    """
    flags = {
        key: value for key, value in vars(parser(prog).parse_args(arguments)).items() if value is not None
    }
    texts = {name: setting_values.from_environment(environ, name) for name in Settings.model_fields}
    if "workers" not in flags:
        texts["workers"] = setting_values.from_environment(environ, "web_concurrency") or texts["workers"]
    given = {name: text for name, text in texts.items() if text is not None} | flags
    _hide_typed(flags)
    try:
        settings = Settings.model_validate(given)
        settings.engine(environ)
    except ValidationError as error:
        raise BadSettingError(_in_upper_case(explain(error, given))) from None
    except ValueError as error:
        raise BadSettingError(str(error)) from None
    loopback = settings.gateway_host in ("127.0.0.1", "localhost", "::1")
    if settings.gateway_admin_token and not loopback and len(settings.gateway_admin_token) < 8:
        raise BadSettingError(
            "GATEWAY_ADMIN_TOKEN: too short for a bind that others can reach; allowed: 8 characters or more"
        )
    return settings


def _hide_typed(flags: Mapping[str, str]) -> None:
    """Takes what must not be seen out of this process's command line."""
    keys = [flags[name] for name in SECRETS if name in flags]
    login = flags.get("vllm_base_url", "").rpartition("@")[0].rpartition("//")[2]
    own_arguments.hide([*keys, login])


def _in_upper_case(sentence: str) -> str:
    for name in sorted(Settings.model_fields, key=len, reverse=True):
        sentence = sentence.replace(name, name.upper())
    return sentence
