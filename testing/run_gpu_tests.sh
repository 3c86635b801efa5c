#!/usr/bin/env bash
# Tests and measures on this machine's GPU, and compares with what is committed for the same device.
#
#     testing/run_gpu_tests.sh [--results DIR] [--shards tests,gemm,host,svd] [--baseline DIR] [--rounds N]
#                              [--any-device] [--dry-run]
#
# Needs what `make setup` made (testing/lib/set_up_machine.sh does it on a rented machine). The run is in shards: `tests` is
# one for each file of tests/gpu, `gemm` needs target/release/examples/gemm_bench, `svd` needs torch with CUDA. Each leaves
# DIR/<shard>.json, written when it is complete, so a run that was cut off goes on where it was: what has a file is not
# run again. DIR/summary.json has the outcome of all.
#
# A measurement that looks slower than the committed one is made again, up to N times in all (3), and the best counts.
#
# Exit status: 0 all is well; 1 a test failed or a case fell by more than 10 %; 2 nothing could be tested, as where there
# is no GPU. --any-device takes an OpenCL device that is none, such as PoCL: a trial of this script.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cd "$here/.."

results=results shards=tests,gemm,host baseline=bench/results rounds=3 any_device="" dry_run=""
fail() {
    echo "run_gpu_tests.sh: $1" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    case $1 in
        --results | --shards | --baseline | --rounds)
            [ $# -ge 2 ] || fail "$1 needs a value"
            ;;&
        --results) results=$2 && shift 2 ;;
        --shards) shards=$2 && shift 2 ;;
        --baseline) baseline=$2 && shift 2 ;;
        --rounds) rounds=$2 && shift 2 ;;
        --any-device) any_device=yes && shift ;;
        --dry-run) dry_run=yes && shift ;;
        -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
        *) fail "unknown option $1; --help lists them" ;;
    esac
done
[[ $rounds =~ ^[1-9]$ ]] || fail "--rounds is a number from 1 to 9, not $rounds"

list=()
IFS=, read -ra wanted <<<"$shards"
for shard in "${wanted[@]}"; do
    case $shard in
        tests) for file in tests/gpu/test_*.py; do list+=("tests-$(basename "$file" .py)"); done ;;
        gemm | host | svd) list+=("$shard") ;;
        tests-test_*) [ -f "tests/gpu/${shard#tests-}.py" ] || fail "no file for the shard $shard" && list+=("$shard") ;;
        *) fail "unknown shard $shard; there are tests, tests-<file>, gemm, host, svd" ;;
    esac
done
[ ${#list[@]} -gt 0 ] || fail "no shard is named"

if [ -n "${PYTHON:-}" ]; then
    python=$PYTHON
elif [ -x .venv/bin/python ]; then
    python=.venv/bin/python
else
    python=python3
fi
gemm_bench=${CARGO_TARGET_DIR:-target}/release/examples/gemm_bench

command_of() { # shard, file of results: what is run, a word a line
    case $1 in
        tests-*) printf '%s\n' "$python" -m pytest -q -p no:cacheprovider "tests/gpu/${1#tests-}.py" ;;
        gemm) printf '%s\n' "$python" testing/lib/gemm_results.py "$gemm_bench" "$2" ;;
        host) printf '%s\n' "$python" bench/gpu_host.py "$2" ;;
        svd) printf '%s\n' "$python" bench/gpu_svd.py "$2" --parts square,tall ;;
    esac
}

if [ -n "$dry_run" ]; then
    echo "would check the device, then run in this order, leaving out what $results has:"
    for shard in "${list[@]}"; do
        echo "  $shard: $(command_of "$shard" "$results/$shard.json" | paste -sd' ')"
    done
    echo "would compare $results with $baseline, measuring again up to $rounds times in all what looks slower"
    exit 0
fi

mkdir -p "$results"
"$python" testing/lib/device.py ${any_device:+--any-device} "$results/device.json" || exit 2

run_shard() { # shard, round: 0 if it has its results
    local target=$results/$1.json begin=$SECONDS status=0
    [ "$2" = 1 ] || target=$results/$1-$2.json
    if [ -s "$target" ]; then
        echo "==> $1: there already"
        return 0
    fi
    echo "==> $1"
    mapfile -t words < <(command_of "$1" "$target.new")
    "${words[@]}" >"$results/$1.log" 2>&1 || status=$?
    tail -n 3 "$results/$1.log"
    case $1 in
        tests-*)
            # 5: nothing to run in this file on this device.
            printf '{"shard": "%s", "exit_status": %d, "seconds": %d}\n' "$1" "$status" $((SECONDS - begin)) >"$target.new"
            mv "$target.new" "$target"
            ;;
        *)
            if [ "$status" != 0 ] || ! [ -s "$target.new" ]; then
                echo "$1 gave no results (exit status $status); $results/$1.log has what it said" >&2
                return 1
            fi
            mv "$target.new" "$target"
            ;;
    esac
}

broken=()
for shard in "${list[@]}"; do
    run_shard "$shard" 1 || broken+=("$shard")
done

slower=0
for ((round = 1; round <= rounds; round++)); do
    again=$results/slower.txt
    slower=0
    "$python" testing/compare_results.py "$results" "$baseline" --slower "$again" || slower=$?
    if [ "$slower" != 1 ] || [ "$round" = "$rounds" ]; then break; fi
    while read -r shard; do
        echo "==> $shard looks slower: round $((round + 1)) of $rounds"
        run_shard "$shard" $((round + 1)) || broken+=("$shard")
    done <"$again"
done

"$python" testing/lib/summary.py "$results" "$slower" "${broken[@]}"
