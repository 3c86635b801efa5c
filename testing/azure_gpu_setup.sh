#!/usr/bin/env bash
# Says whether GPU tests can run on Azure; --help has the options.
# shellcheck source=testing/lib/cloud.sh
source "$(dirname "$(readlink -f "$0")")/lib/cloud.sh"
CLOUD=azure
setup_main "$@"
