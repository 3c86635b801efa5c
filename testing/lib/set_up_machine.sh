#!/usr/bin/env bash
# Makes a rented Linux machine with an NVIDIA driver ready for testing/run_gpu_tests.sh. Usage: set_up_machine.sh [WHEEL]
# With a wheel it is installed; without one the module and the benchmarks are built, with Rust from rustup.
# A second time nothing is done again that is there.
set -euo pipefail
cd "$(dirname "$0")/../.."
wheel=${1:-}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

if ! command -v apt-get >/dev/null; then
    echo "this set-up is for Debian and Ubuntu: it needs apt-get" >&2
    exit 2
fi
export DEBIAN_FRONTEND=noninteractive
as_root apt-get update -qq
as_root apt-get install -y -qq --no-install-recommends ca-certificates curl gcc libc6-dev make ocl-icd-libopencl1 \
    python3-venv >/dev/null
# NVIDIA's driver brings its OpenCL, but images with the driver often lack the file that names it.
if ! [ -e /etc/OpenCL/vendors/nvidia.icd ]; then
    as_root mkdir -p /etc/OpenCL/vendors
    echo libnvidia-opencl.so.1 | as_root tee /etc/OpenCL/vendors/nvidia.icd >/dev/null
fi

if [ -n "$wheel" ]; then
    [ -x .venv/bin/python ] || python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "${wheel}[test]"
    exit 0
fi
export PATH="$HOME/.cargo/bin:$PATH"
if ! command -v cargo >/dev/null; then
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y -q --profile minimal
fi
make setup
cargo build --release --quiet -p lapack-ai-opencl --example gemm_bench
