#!/usr/bin/env bash
# The end-to-end test: the Flask app of examples/flask through the built gateway to moto's X-Ray and to strict
# stand-ins of Honeycomb and Rollbar.
#
#   tests/e2e/run.sh [path-to-binary] [pytest arguments…]
#
# Without a path the gateway is built first (debug). Packages go into target/e2e-venv and are installed once for each
# state of the requirements. `tests/e2e/run.sh path -k standins` tests the stand-ins alone and needs no binary.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
venv="$root/target/e2e-venv"

if [[ $# -gt 0 && $1 != -* ]]; then
  binary="$1"
  shift
else
  cargo build --locked --manifest-path "$root/Cargo.toml" --bin telemetry-gateway
  binary="${CARGO_TARGET_DIR:-$root/target}/debug/telemetry-gateway"
fi
if [[ -e $binary ]]; then
  binary="$(realpath "$binary")"
fi

wanted="$(cat "$here/requirements.txt" "$root/examples/flask/requirements.txt")"
if [[ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]]; then
  python3 -m venv --clear "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  printf '%s\n' "$wanted" >"$venv/installed"
fi

export TELEMETRY_GATEWAY="$binary" PYTHONDONTWRITEBYTECODE=1
cd "$here"
exec "$venv/bin/python" -m pytest -p no:cacheprovider --tb=short -q "$@"
