# What the scripts for the clouds have in common; they set CLOUD and call `spot_main` or `setup_main`.
# shellcheck shell=bash

set -euo pipefail
ROOT=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
ME=$(basename "$0")
# What is run is not reported to the engine's makers.
export SKYPILOT_DISABLE_USAGE_COLLECTION=1

declare -A CLOUD_NAMES=([aws]=AWS [gcp]=GCP [azure]=Azure)
declare -A LOG_IN=(
    [aws]="aws configure, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    [gcp]="gcloud auth application-default login, and gcloud config set project PROJECT"
    [azure]="az login, and az account set --subscription SUBSCRIPTION"
)
declare -A CONSOLES=(
    [aws]="https://console.aws.amazon.com/ec2/home#Instances"
    [gcp]="https://console.cloud.google.com/compute/instances"
    [azure]="https://portal.azure.com/#browse/Microsoft.Compute%2FVirtualMachines"
)

die() { # status, text
    echo "$ME: $2" >&2
    exit "$1"
}

# The engine: LAPACK_AI_SKY, that of the cloud's own environment, or the one on PATH.
find_engine() {
    local own=$ROOT/.venv/skypilot-$CLOUD/bin/sky
    if [ -n "${LAPACK_AI_SKY:-}" ]; then
        SKY=$LAPACK_AI_SKY
    elif [ -x "$own" ]; then
        SKY=$own
    else
        SKY=$(command -v sky || true)
    fi
    if [ -z "$SKY" ] || ! [ -x "$SKY" ]; then
        die 2 "SkyPilot is not installed; run testing/${CLOUD}_gpu_setup.sh --install"
    fi
    # The Python that it runs in has its catalogue.
    SKY_PYTHON=$(dirname "$(readlink -f "$SKY")")/python
    [ -x "$SKY_PYTHON" ] || SKY_PYTHON=$(dirname "$SKY")/python
    [ -x "$SKY_PYTHON" ] || SKY_PYTHON=python3
}

engine() { "$SKY_PYTHON" "$ROOT/testing/lib/engine.py" "$@"; }

# The engine's server on this computer is started by its first command; whoever started it ends it.
SERVER_IS_OURS=""
note_server() {
    if [ -z "${SKYPILOT_API_SERVER_ENDPOINT:-}" ] && "$SKY" api info 2>/dev/null | grep -q "No SkyPilot API server"; then
        SERVER_IS_OURS=yes
    fi
}
stop_server() {
    if [ -n "$SERVER_IS_OURS" ]; then
        timeout 60 "$SKY" api stop >/dev/null 2>&1 || true
    fi
}

# Whether the engine may use the cloud; `sky check` itself says so by what it prints, never by its exit status.
check_credentials() {
    local answer reason
    answer=$(timeout 300 "$SKY" check "$CLOUD" -o json 2>/dev/null || true)
    if grep -qi "\"$CLOUD\"" <<<"$answer"; then return 0; fi
    reason=$(timeout 300 "$SKY" check "$CLOUD" 2>&1 | sed -n '/Reason/,/^$/p' | sed 's/^ *//' | head -n 4 | paste -sd' ' || true)
    echo "$ME: no use of ${CLOUD_NAMES[$CLOUD]} with these credentials. ${reason:-SkyPilot gives no reason: sky check $CLOUD}" >&2
    echo "  fix: ${LOG_IN[$CLOUD]}; if packages are missing: testing/${CLOUD}_gpu_setup.sh --install" >&2
    return 1
}

is_number_up_to() { # value, limit
    [[ $1 =~ ^[0-9]+(\.[0-9]+)?$ ]] && awk -v x="$1" -v top="$2" 'BEGIN { exit !(x > 0 && x <= top) }'
}

spot_usage() {
    cat <<END
usage: testing/$ME [options]

Runs the GPU tests on a spot machine of ${CLOUD_NAMES[$CLOUD]}, fetches the results, takes the machine down.

  --dry-run          print the prices and what would be done; start nothing
  --gpu NAMES        kinds of GPU, the cheapest is taken (default T4,L4,A10G)
  --region REGION    only there (default: anywhere)
  --max-hours H      the whole run is ended after that, at most 24 (default 1.5)
  --max-price USD    dollars an hour; what costs more is not started, at most 20 (default 1)
  --attempts N       machines to take one after another if they are taken away, at most 5 (default 2)
  --shards LIST      what to run (default tests,gemm,host); testing/run_gpu_tests.sh has the list
  --wheel FILE       test this wheel; else one is built there
  --results DIR      where the results go (default out/gpu_runs/$CLOUD); a run that was cut off goes on there

Exit status: 0 all is well, 1 a test failed or something fell by more than 10 %, 2 nothing was started,
3 the machine may still run: what to do is said.
END
}

read_spot_options() {
    GPUS=T4,L4,A10G REGION="" HOURS=1.5 PRICE=1 ATTEMPTS=2 SHARDS=tests,gemm,host WHEEL="" DRY_RUN=""
    RESULTS=$ROOT/out/gpu_runs/$CLOUD
    while [ $# -gt 0 ]; do
        case $1 in
            --dry-run) DRY_RUN=yes && shift && continue ;;
            -h | --help) spot_usage && exit 0 ;;
            --gpu | --region | --max-hours | --max-price | --attempts | --shards | --wheel | --results) ;;
            *) die 2 "unknown option $1; --help lists them" ;;
        esac
        [ $# -ge 2 ] || die 2 "$1 needs a value"
        case $1 in
            --gpu) GPUS=$2 ;;
            --region) REGION=$2 ;;
            --max-hours) HOURS=$2 ;;
            --max-price) PRICE=$2 ;;
            --attempts) ATTEMPTS=$2 ;;
            --shards) SHARDS=$2 ;;
            --wheel) WHEEL=$2 ;;
            --results) RESULTS=$2 ;;
        esac
        shift 2
    done
    is_number_up_to "$HOURS" 24 || die 2 "--max-hours is a number of hours above 0, at most 24, not $HOURS"
    is_number_up_to "$PRICE" 20 || die 2 "--max-price is dollars an hour above 0, at most 20, not $PRICE"
    [[ $ATTEMPTS =~ ^[1-5]$ ]] || die 2 "--attempts is a number from 1 to 5, not $ATTEMPTS"
    [[ $GPUS =~ ^[A-Za-z0-9,-]+$ ]] || die 2 "--gpu is a list of names such as T4,L4, not $GPUS"
    # A machine would be rented to find that all is done.
    [ ! -e "$RESULTS/summary.json" ] || die 2 "$RESULTS has a complete run; move it away, or name another --results"
    [ -z "$WHEEL" ] || [ -f "$WHEEL" ] || die 2 "there is no $WHEEL; make it: maturin build --release"
    SECONDS_IN_ALL=$(awk -v h="$HOURS" 'BEGIN { printf "%d", h * 3600 }')
    # Not known to any other run, so that nobody else's machine is ever taken down.
    CLUSTER=lapack-$CLOUD-$(date +%m%d%H%M%S)-$$
}

# Prices, and the task with what is known so far; the engine's exit status.
plan() {
    local resume=()
    if compgen -G "$RESULTS/*.json" >/dev/null; then resume=(--resume "$RESULTS"); fi
    prices --task "$ROOT/testing/gpu_tests.sky.yaml" "$TASK" --shards "$SHARDS" ${WHEEL:+--wheel "$WHEEL"} "${resume[@]}"
}

prices() {
    engine --cloud "$CLOUD" --gpus "$GPUS" --max-price "$PRICE" --hours "$HOURS" ${REGION:+--region "$REGION"} "$@"
}

print_plan() {
    echo "would check: $SKY check $CLOUD"
    echo "would launch, at most $ATTEMPTS times, and be done after $HOURS h in all:"
    echo "  timeout $SECONDS_IN_ALL $SKY launch --yes --cluster $CLUSTER $TASK"
    echo "would fetch the results every minute: scp $CLUSTER:/tmp/lapack-ai/results/* $RESULTS"
    echo "would take the machine down, also when interrupted: $SKY down --yes $CLUSTER"
    echo "limit: \$$(awk -v p="$PRICE" -v h="$HOURS" 'BEGIN { printf "%.2f", p * h }') for the machine ($HOURS h at $PRICE an hour), disk and traffic not included"
    echo "the task, which SkyPilot accepts:"
    sed 's/^/  /' "$TASK"
}

fetch_results() {
    mkdir -p "$RESULTS"
    timeout 300 scp -q -o StrictHostKeyChecking=accept-new -o ConnectTimeout=20 \
        "$CLUSTER:/tmp/lapack-ai/results/*" "$RESULTS/" 2>/dev/null
}

LAUNCHED="" LAUNCHER="" FETCHER="" TASK_FOLDER=""
stop_helpers() {
    local process
    for process in $LAUNCHER $FETCHER; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    LAUNCHER="" FETCHER=""
}

# Whether the engine knows of no machine any more, asking the cloud.
is_gone() {
    local answer
    answer=$(timeout 300 "$SKY" status --refresh "$CLUSTER" -o json 2>/dev/null) || return 1
    # A list without it; that it is not found may be said before, without quotation marks.
    grep -q '^\[' <<<"$answer" && ! grep -q "\"$CLUSTER\"" <<<"$answer"
}

take_down() {
    local try
    for try in 1 2 3; do
        timeout 900 "$SKY" down --yes "$CLUSTER" || true
        if is_gone; then
            echo "$ME: $CLUSTER is taken down, nothing is left running"
            LAUNCHED=""
            return 0
        fi
        [ "$try" = 3 ] || sleep "${LAPACK_AI_RETRY_SECONDS:-20}"
    done
    echo "$ME: $CLUSTER MAY STILL RUN AND COST. Take it down: $SKY down $CLUSTER; look: ${CONSOLES[$CLOUD]}" >&2
    return 1
}

finish() {
    local status=$?
    trap - EXIT
    # A second Ctrl-C must not keep the machine alive.
    trap '' INT TERM HUP
    stop_helpers
    if [ -n "$LAUNCHED" ] && ! take_down; then
        status=3
    elif [ "$status" = 3 ]; then
        status=1
    fi
    # With a machine that may still run, the server is left to take it down by hand.
    [ "$status" = 3 ] || stop_server
    [ -z "$TASK_FOLDER" ] || rm -rf "$TASK_FOLDER"
    exit "$status"
}

# Waits in a way that signals end: bash handles them after a foreground command only.
launch() { # seconds left; the engine's exit status, 124 when the time is over
    local status=0
    LAUNCHED=yes
    timeout "$1" "$SKY" launch --yes --cluster "$CLUSTER" "$TASK" &
    LAUNCHER=$!
    # Silent, and without a hold on whatever reads this script's output.
    while sleep "${LAPACK_AI_FETCH_SECONDS:-60}"; do fetch_results || true; done >/dev/null 2>&1 &
    FETCHER=$!
    wait "$LAUNCHER" || status=$?
    LAUNCHER=""
    stop_helpers
    return "$status"
}

spot_main() {
    read_spot_options "$@"
    cd "$ROOT"
    find_engine
    TASK_FOLDER=$(mktemp -d)
    TASK=$TASK_FOLDER/task.sky.yaml
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP

    local price_status=0
    plan || price_status=$?
    case $price_status in 0 | 3 | 4) ;; *) die 2 "SkyPilot does not accept the task, or cannot be asked" ;; esac
    if [ -n "$DRY_RUN" ]; then
        # Without a catalogue the plan is as good; only the price is missing, and that was said.
        [ "$price_status" != 4 ] || exit 2
        print_plan
        exit 0
    fi
    [ "$price_status" = 0 ] || die 2 "without a price below --max-price $PRICE nothing is started"
    note_server
    check_credentials || exit 2

    local attempt status left
    # Nothing has cost anything so far.
    SECONDS=0
    for ((attempt = 1; attempt <= ATTEMPTS; attempt++)); do
        left=$((SECONDS_IN_ALL - SECONDS))
        [ "$left" -gt 0 ] || die 1 "$HOURS h are over"
        echo "$ME: attempt $attempt of $ATTEMPTS, $((left / 60)) minutes left"
        status=0
        launch "$left" || status=$?
        fetch_results || echo "$ME: no results could be fetched"
        [ "$status" != 124 ] || die 1 "$HOURS h are over; what was finished is in $RESULTS, and the same command goes on"
        # 0: the tests passed, 100: they ran and failed. Anything else: the machine was taken away or never came.
        if [ "$status" = 0 ] || [ "$status" = 100 ]; then break; fi
        echo "$ME: the machine went away or never came (SkyPilot's exit status $status)"
        take_down || exit 3
        # What was fetched goes along, so that no shard is run twice.
        plan >/dev/null || die 1 "no further machine: the price is above --max-price now, or not known"
    done
    [ -z "$LAUNCHED" ] || take_down || exit 3
    [ -s "$RESULTS/summary.json" ] || die 1 "the run is not complete; what is there is in $RESULTS, and the same command goes on"
    echo "$ME: results in $RESULTS"
    [ "$status" = 0 ] || die 1 "something failed or became slower: see above, and $RESULTS/summary.json"
}

setup_usage() {
    cat <<END
usage: testing/$ME [--install]

Says whether GPU tests can run on ${CLOUD_NAMES[$CLOUD]}: SkyPilot, credentials, spot prices. Starts nothing.

  --install     put SkyPilot with what it needs for ${CLOUD_NAMES[$CLOUD]} into .venv/skypilot-$CLOUD first
END
}

setup_main() {
    local version
    case ${1:-} in
        "") ;;
        --install)
            version=$(sed -n 's/^skypilot==//p' "$ROOT/requirements/cloud.txt")
            echo "$ME: installing SkyPilot $version for ${CLOUD_NAMES[$CLOUD]} into .venv/skypilot-$CLOUD (minutes)"
            python3 -m venv "$ROOT/.venv/skypilot-$CLOUD"
            "$ROOT/.venv/skypilot-$CLOUD/bin/python" -m pip install --quiet --disable-pip-version-check \
                "skypilot[$CLOUD]==$version"
            ;;
        -h | --help) setup_usage && exit 0 ;;
        *) die 2 "unknown option $1; --help lists them" ;;
    esac
    find_engine
    echo "$ME: SkyPilot: $("$SKY" --version | head -n 1)"
    note_server
    trap stop_server EXIT
    check_credentials || exit 2
    echo "$ME: ${CLOUD_NAMES[$CLOUD]} accepts the credentials"
    GPUS=T4,L4,A10G PRICE=1 HOURS=1.5 REGION=""
    prices || exit 2
    echo "$ME: a new account has no quota for GPU spot machines: ask for it in the cloud's console, it takes days"
    echo "$ME: ready: testing/${CLOUD}_spot_gpu.sh --dry-run"
}
