#!/usr/bin/env bash
# Runs the GPU tests on a spot machine of AWS; --help has the options.
# shellcheck source=testing/lib/cloud.sh
source "$(dirname "$(readlink -f "$0")")/lib/cloud.sh"
CLOUD=aws
spot_main "$@"
