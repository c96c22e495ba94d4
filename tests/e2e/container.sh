#!/usr/bin/env bash
# Builds the gateway's image, runs it, and prints: image size, time from `docker run` to the first accepted request, time
# to Docker's own verdict `healthy`, memory at rest.
#
#   tests/e2e/container.sh [directory-with-Dockerfile]     default: this repository
#   tests/e2e/container.sh bases                           only makes the base image
#
# Where rust:1.95-bookworm is neither present nor can be pulled, a base is made here: Debian by debootstrap (needs root),
# with the toolchain that `rustc` names on this machine. The same base then serves the example app's image.
#
# Environment: DOCKER (default docker), BUILD_IMAGE, PYTHON_IMAGE, DEBIAN_MIRROR.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
docker="${DOCKER:-docker}"
local_base=telemetry-gateway-base:local
export DOCKER_BUILDKIT=1

have() {
  "$docker" image inspect "$1" >/dev/null 2>&1 || timeout 60 "$docker" pull --quiet "$1" >/dev/null 2>&1
}

make_local_base() {
  "$docker" image inspect "$local_base" >/dev/null 2>&1 && return
  local tree toolchain
  tree="$(mktemp -d)"
  toolchain="$(rustc --print sysroot)"
  debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev,python3,python3-pip \
    bookworm "$tree" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$tree.log" 2>&1 || { tail "$tree.log" >&2; exit 1; }
  cp -a "$toolchain/bin" "$toolchain/lib" "$tree/usr/local/"
  # Whatever authorities this machine trusts on its way to the registries; the base never leaves it.
  cp /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/ca-certificates.crt"
  # pip may install beside Debian's packages: the image is the environment.
  rm -f "$tree"/usr/lib/python3*/EXTERNALLY-MANAGED
  rm -rf "$tree"/var/cache/apt/archives/*.deb
  tar -C "$tree" -c . | "$docker" import \
    --change 'ENV CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PIP_CERT=/etc/ssl/certs/ca-certificates.crt' \
    - "$local_base" >/dev/null
  rm -rf "$tree" "$tree.log"
}

# Prints the image to build with: the wanted one, or the one made here.
base_for() {
  if have "$1"; then
    echo "$1"
  else
    echo "$1 is not to be had here; using $local_base" >&2
    make_local_base
    echo "$local_base"
  fi
}

build_image="$(base_for "${BUILD_IMAGE:-rust:1.95-bookworm}")"
if [[ ${1:-} == bases ]]; then
  echo "BUILD_IMAGE=$build_image PYTHON_IMAGE=$(base_for "${PYTHON_IMAGE:-python:3.12-slim-bookworm}")"
  exit
fi

"$docker" build --build-arg "BUILD_IMAGE=$build_image" --tag telemetry-gateway "${1:-$root}"
bytes="$("$docker" image inspect --format '{{.Size}}' telemetry-gateway)"

name="telemetry-gateway-$$"
trap '"$docker" rm --force --volumes "$name" >/dev/null 2>&1 || true' EXIT
milliseconds() { date +%s%3N; }

started="$(milliseconds)"
"$docker" run --detach --name "$name" --read-only --cap-drop ALL --health-interval 1s \
  --publish 127.0.0.1::4318 telemetry-gateway >/dev/null
address="$("$docker" port "$name" 4318/tcp | head -n 1)"
# An empty request is a valid one, and counts for nothing.
until [[ "$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 2 --request POST \
  --header 'Content-Type: application/x-protobuf' "http://$address/v1/traces" || true)" == 200 ]]; do
  if [[ $(($(milliseconds) - started)) -gt 20000 ]]; then
    "$docker" logs "$name" >&2
    echo "the container took no request within 20 s" >&2
    exit 1
  fi
  sleep 0.01
done
accepted="$(milliseconds)"

until [[ "$("$docker" inspect --format '{{.State.Health.Status}}' "$name")" == healthy ]]; do
  if [[ $(($(milliseconds) - started)) -gt 30000 ]]; then
    "$docker" inspect --format '{{json .State.Health}}' "$name" >&2
    echo "the container is not healthy after 30 s" >&2
    exit 1
  fi
  sleep 0.05
done
healthy="$(milliseconds)"
memory="$("$docker" stats --no-stream --format '{{.MemUsage}}' "$name")"

stopping="$(milliseconds)"
"$docker" stop --time 20 "$name" >/dev/null
stopped="$(milliseconds)"
code="$("$docker" inspect --format '{{.State.ExitCode}}' "$name")"
user="$("$docker" inspect --format '{{.Config.User}}' "$name")"

awk -v bytes="$bytes" 'BEGIN { printf "image                      %.1f MB\n", bytes / 1e6 }'
echo "docker run → first 200      $((accepted - started)) ms"
echo "docker run → healthy        $((healthy - started)) ms (asked once a second)"
echo "memory at rest             ${memory%% /*}"
echo "docker stop                $((stopped - stopping)) ms, exit code $code, user $user"
[[ $code == 0 ]] || exit 1
