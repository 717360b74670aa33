#!/bin/sh
# Makes .venv fit requirements.lock and pyproject.toml. Does nothing, quickly, when it already does.
# Works on a bare Debian 12, as root or not, without HOME, without a terminal, and after a kill.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
venv=$root/.venv
stamp=$venv/.ready
unfinished=$venv/.unfinished

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_QUIET=1
export DEBIAN_FRONTEND=noninteractive
export UV_SYSTEM_CERTS=true # as pip does: a company's own certificates count
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV PYTHONDONTWRITEBYTECODE
if [ -z "${HOME:-}" ] || [ ! -w "$HOME" ]; then
    export UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1
fi

die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# phase WORDS COMMAND...: say what goes on, stay quiet unless it fails.
phase() {
    printf 'setup: %s\n' "$1" >&2
    shift
    "$@" </dev/null >"$log" 2>&1 || {
        code=$?
        tail -n 30 "$log" >&2
        printf 'setup: this failed (exit %s): %s\n' "$code" "$*" >&2
        return "$code"
    }
}

is_fit() {
    "$1" -c 'import sys, venv
from ensurepip import version
sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for name in "${PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11 \
        /usr/bin/python3; do
        if path=$(command -v "$name") && is_fit "$path"; then
            printf '%s\n' "$path"
            return
        fi
    done
    return 1
}

apt_install() {
    apt-get -qq update && apt-get -qq -y --no-install-recommends install "$@"
}

wanted() {
    { printf '%s\n' "$root"; cat requirements.lock pyproject.toml; } | sha256sum | cut -d' ' -f1
}

is_ready() {
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(wanted)" ] && "$venv/bin/python" -c '' 2>/dev/null
}

# The lock names uv with its hashes, so even the installer is checked.
get_uv() {
    awk '/^uv==/ { on = 1 } on { print } on && !/\\$/ { exit }' requirements.lock >"$work/uv.lock"
    [ -s "$work/uv.lock" ] &&
        "$venv/bin/python" -m pip install --require-hashes --no-deps -r "$work/uv.lock"
}

install_with_uv() {
    "$venv/bin/uv" pip sync -q --python "$venv/bin/python" --require-hashes requirements.lock &&
        "$venv/bin/uv" pip install -q --python "$venv/bin/python" --no-deps \
            --no-build-isolation -e .
}

install_with_pip() {
    "$venv/bin/python" -m pip install --require-hashes -r requirements.lock &&
        "$venv/bin/python" -m pip install --no-deps --no-build-isolation -e .
}

if is_ready; then
    exit 0
fi

[ -w "$root" ] || die "$(id -un) cannot write in $root: own it, or copy it elsewhere."

# One at a time; the kernel drops the lock with the process. Without flock(1), at one's own risk.
if command -v flock >/dev/null 2>&1; then
    exec 9>"$root/.setup.lock"
    flock -n 9 || { printf 'setup: waiting for another setup\n' >&2; flock 9; }
    if is_ready; then
        exit 0
    fi
fi

work=$(mktemp -d) || die "no room for temporary files: free some space in ${TMPDIR:-/tmp}."
log=$work/log
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

if ! python=$(find_python); then
    command -v apt-get >/dev/null 2>&1 ||
        die "needs Python 3.11 or newer with venv: install it, then run this again."
    [ "$(id -u)" -eq 0 ] ||
        die "needs Python 3.11 or newer with venv. As root: apt-get install python3 python3-venv"
    phase "installing Python" apt_install python3 python3-venv ||
        die "apt-get could not install python3-venv: see above."
    python=$(find_python) ||
        die "this system's Python is older than 3.11: install a newer one, then run this again."
fi

# An interrupted install may have left half a package: such a .venv is not mended but made anew.
if [ -e "$unfinished" ] || ! is_fit "$venv/bin/python"; then
    rm -rf "$venv"
fi
if [ ! -d "$venv" ]; then
    mkdir "$venv"
    : >"$unfinished"
    phase "making .venv with $python" "$python" -m venv "$venv" || die "no .venv could be made."
fi
: >"$unfinished"
rm -f "$stamp"

if { [ -x "$venv/bin/uv" ] || phase "fetching uv" get_uv; } &&
    phase "installing packages" install_with_uv; then
    :
else
    phase "installing packages with pip (takes minutes)" install_with_pip ||
        die "the packages could not be installed: see above; is the network there?"
fi

wanted >"$stamp.new"
mv "$stamp.new" "$stamp"
rm -f "$unfinished"
