#!/usr/bin/env bash
# Makes the virtual environment from the hashed lock file, and what lets the broker start sooner. Usage: setup.sh PYTHON FOLDER
set -euo pipefail
python=$1 folder=$2
for candidate in "$python" python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
    found=$candidate
    break
  fi
done
if [ -z "${found:-}" ]; then
  echo "driftwake needs Python 3.11 or 3.12; none was found. Install one, or call: make PYTHON=/path/to/python3.12 ..." >&2
  exit 2
fi
# Without pip it is what a venv that failed half-way has left, for want of python3-venv on Debian for instance.
[ -x "$folder/bin/pip" ] || "$found" -m venv --clear "$folder"
echo "Installing the locked packages into $folder (the first time takes a few minutes)"
"$folder/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
"$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . 
"$folder/bin/python" -m streams.transport.warm_start || echo "The broker will start at its usual pace: its cache could not be made." >&2
