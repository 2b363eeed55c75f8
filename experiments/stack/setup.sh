#!/bin/sh
# Makes the virtual environment $1 with the locked dependencies and the project itself. With uv where it can be had
# (seconds), else with pip (about a minute). Says which Debian package is missing where the machine cannot make one.
set -eu
venv=$1
python=${PYTHON_FOR_VENV:-python3}

say() { printf '%s\n' "$*" >&2; }
fail() { say "setup: $*"; exit 1; }

command -v "$python" > /dev/null || fail "python3 is missing; on Debian and Ubuntu: apt-get install python3 python3-venv"
"$python" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old; Python 3.11 or newer is needed"

if ! "$venv/bin/python" -c '' 2> /dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$python" -c 'import ensurepip, venv' 2> /dev/null ||
        fail "Python cannot make virtual environments here; on Debian and Ubuntu: apt-get install python$version-venv"
    say "making $venv"
    "$python" -m venv "$venv" || fail "$venv could not be made"
fi

uv=$venv/bin/uv
if [ ! -x "$uv" ]; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv 2> /dev/null || uv=$(command -v uv || true)
fi
say "installing the locked dependencies with $([ -n "$uv" ] && echo uv || echo pip)"
if [ -n "$uv" ]; then
    eval "$("$venv/bin/python" experiments/stack/pip_to_uv.py)" # uv does not read pip's configuration
    "$uv" pip install --quiet --compile-bytecode --python "$venv/bin/python" -r requirements.lock
else
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements.lock
fi || fail "the locked dependencies could not be installed; see the message above"

# The project itself, importable from anywhere, and its command: this needs no build and no network.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
pwd > "$site/llm-headroom.pth"
printf '#!/bin/sh\nexec "$(dirname "$0")/python" -m headroom "$@"\n' > "$venv/bin/headroom"
chmod +x "$venv/bin/headroom"
