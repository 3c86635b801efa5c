#!/usr/bin/env bash
# Runs the GPU tests on a spot machine of Azure; --help has the options.
# shellcheck source=testing/lib/cloud.sh
source "$(dirname "$(readlink -f "$0")")/lib/cloud.sh"
CLOUD=azure
spot_main "$@"
