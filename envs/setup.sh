#!/usr/bin/env bash
# setup.sh PYTHON VENV: a virtual environment with exactly what requirements.lock pins.
set -euo pipefail
python=$1
venv=$2

fail() {
  echo "clipfair: $1" >&2
  exit 1
}

# Snakemake starts the jobs with the path of Python as it is, so the shell would take such a path apart.
case $PWD in
  *[[:space:]\'\"\`\\\$\&\;\|\<\>\(\)\*\?]*)
    fail "$PWD: the folder's path has a space, a quote or another sign of the shell, and jobs would not start; move the repository to a path without them"
    ;;
esac
command -v git >/dev/null || fail "git was not found; install git"
command -v "$python" >/dev/null || fail "$python was not found; install Python 3.11.4 to 3.13 or name one: make PYTHON=python3.12"
"$python" -c 'import sys; sys.exit(not (3, 11, 4) <= sys.version_info < (3, 14))' 2>/dev/null ||
  fail "$python is $("$python" --version 2>&1 | tail -n 1); Python 3.11.4 to 3.13 is needed; name one: make PYTHON=python3.12"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
  fail "$python has no venv module; install it (Debian and Ubuntu: apt install python3-venv)"

echo "clipfair: setting up $venv (about 6 GB; a few minutes)" >&2
"$python" -m venv --clear "$venv"
# uv takes a fifth of the time of pip. Its version is pinned by the lock, too.
"$venv/bin/python" -m pip install --quiet --require-hashes --no-deps --requirement <(sed -n '/^uv==/,/^    #/p' requirements.lock)
"$venv/bin/uv" pip sync --python "$venv/bin/python" --require-hashes --compile-bytecode requirements.lock
# `python -m clipfair.balance` works in the environment from any folder.
echo "$PWD/src" >"$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/clipfair.pth"
touch "$venv/.ready"
echo "clipfair: $venv is ready; activate it with: source $venv/bin/activate" >&2
