#!/usr/bin/env bash
# run.sh OUT [--quick]: measure this machine's GPU, at most 8 minutes, no network.
# Needs Python with torch, open_clip and what clipfair imports; writes OUT/results.csv and prints it as a table.
# --quick cuts every size down and runs on the processor: a check of the script, not a measurement.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export PYTHONPATH="$root/src:$root/benchmarks/fairclip${PYTHONPATH:+:$PYTHONPATH}"
export CUBLAS_WORKSPACE_CONFIG=:4096:8
exec python3 "$here/measure.py" "$@"
