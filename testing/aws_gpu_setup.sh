#!/usr/bin/env bash
# Says whether GPU tests can run on AWS; --help has the options.
# shellcheck source=testing/lib/cloud.sh
source "$(dirname "$(readlink -f "$0")")/lib/cloud.sh"
CLOUD=aws
setup_main "$@"
