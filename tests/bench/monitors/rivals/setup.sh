#!/usr/bin/env bash
# Makes the throw-away environment of the tools that driftwake's monitors are compared with. Usage: setup.sh PYTHON FOLDER
set -euo pipefail
python=$1 folder=$2
[ -e "$folder/.ready" ] && exit 0
"$python" -m venv --clear "$folder"
echo "Installing Evidently, NannyML, alibi-detect and River into $folder (the first time takes a few minutes)"
"$folder/bin/pip" install --quiet --disable-pip-version-check \
  evidently==0.7.23 nannyml==0.13.1 alibi-detect==0.13.0 river==0.23.0 numpy==1.26.4 pandas==2.3.3 scipy==1.17.1 pyarrow==24.0.0
touch "$folder/.ready"
