#!/usr/bin/env bash
# Builds both targets of the image on a Debian machine without a registry, and names them (without their tags): the base is made of Debian's own packages, in the shape
# of the official slim Python image. `make test-container` runs this and then tests/container. It needs root and
#   apt-get install --no-install-recommends buildah podman runc mmdebstrap fuse-overlayfs
set -euo pipefail
cd "$(dirname "$0")/../.."

for program in buildah podman runc mmdebstrap; do
  if ! command -v "$program" > /dev/null; then
    echo "make test-container: $program is missing; apt-get install --no-install-recommends buildah podman runc mmdebstrap fuse-overlayfs" >&2
    exit 2
  fi
done
if [ "$(id -u)" != 0 ]; then echo "make test-container: containers are built as root here; run it with sudo" >&2; exit 2; fi

work=$PWD/build/container
suite=trixie # its Python is 3.13, as the official image's
base=localhost/fairway-python:$suite
image=localhost/fairway
mkdir -p "$work"
# Its own storage, and settings that run where cgroups are mounted as in another container.
cat > "$work/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$work/graph"
runroot = "$work/run"
CONF
cat > "$work/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
CONF
export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_CONF=$work/containers.conf

if ! buildah inspect --type image "$base" > /dev/null 2>&1; then
  echo "making the base of Debian's packages" >&2
  packages=python3,python3-venv,python3-pip,python3-dev,ca-certificates
  # As in the official image: `python`, and a pip that may install.
  mmdebstrap --quiet --variant=minbase --include="$packages" \
    --customize-hook='ln -s python3 "$1/usr/bin/python"; rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED' "$suite" "$work/base.tar"
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$work/base.tar" / > /dev/null
  buildah commit --quiet --rm "$container" "$base" > /dev/null
  rm "$work/base.tar"
fi

for target in sagemaker standalone; do
  echo "building the image for $target" >&2
  # The mounts are for a machine whose network has its own certificate authority.
  buildah bud --quiet --layers --format docker --isolation chroot --network host --pull-never \
    -v /etc/ssl/certs:/etc/ssl/certs:ro -v /etc/resolv.conf:/etc/resolv.conf:ro \
    --build-arg BASE_IMAGE="$base" --file model_code/Dockerfile --target "$target" --tag "$image:$target" . > "$work/$target.log" 2>&1 \
    || { tail -20 "$work/$target.log" >&2; echo "the build failed; all of it is in $work/$target.log" >&2; exit 1; }
done
.venv/bin/python - "$image:sagemaker" >&2 <<'PYTHON'
import sys
from pathlib import Path
from fairway.deploy.image import layers
from fairway.deploy.programs import Logged
print(*layers("podman", sys.argv[1], Logged(Path("/dev/null"), print, {})), sep="\n")
PYTHON
echo "$image"
