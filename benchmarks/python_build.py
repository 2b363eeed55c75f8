"""How the Python of a measurement was built: guided by profiles (PGO) it runs this code some 15 % faster."""

import platform
import sys
import sysconfig


def python_build() -> str:
    """Version, and what the interpreter says of its own build.

    `--enable-optimizations` is PGO. Debian's and Ubuntu's packages are built that way by their own rules,
    which the options do not tell, so such an interpreter is named by its place.
    """
    options = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    if "--enable-optimizations" in options:
        built = "PGO (--enable-optimizations)"
    elif sys.base_prefix == "/usr":
        built = "the system's own, whose distribution decides on PGO"
    else:
        built = "no PGO (configured without --enable-optimizations)"
    return f"Python {platform.python_version()}, {built}"
