#!/usr/bin/env bash
# Installs what the tests need of the system, where it is missing and may be installed: PostgreSQL's server, for the ledger's tests on
# it. Needs Debian or Ubuntu and root; elsewhere it says what to install, and those tests are skipped by name.
set -uo pipefail
if command -v initdb >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null; then
  exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "PostgreSQL isn't installed: its tests are skipped. Install it (Debian, Ubuntu: apt-get install postgresql)." >&2
  exit 0
fi
echo "Installing PostgreSQL, for the ledger's tests on it"
# The tests make clusters of their own; without this the package would make one more, and start it.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
  mkdir -p /etc/postgresql-common
  echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
fi
export DEBIAN_FRONTEND=noninteractive
if ! { timeout 120 apt-get -qq update && timeout 600 apt-get -qq install -y --no-install-recommends postgresql; } >/dev/null; then
  echo "PostgreSQL could not be installed: its tests are skipped." >&2
fi
