#!/usr/bin/env bash
# Training on one GPU, ours beside Hugging Face's Trainer: MFU, memory, loss curves.
# bash bench/gpu.sh             everything, about half an hour on an H100 or H200
# bash bench/gpu.sh --help      parts of it, and a dry run on a CPU
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -z "${PYTHON:-}" ]; then
  PYTHON=.venv/bin/python
  [ -x "$PYTHON" ] || PYTHON=python3
fi
export PYTHONPATH="src:.${PYTHONPATH:+:$PYTHONPATH}"
exec "$PYTHON" bench/gpu/run.py "$@"
