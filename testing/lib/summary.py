"""The outcome of all shards: `summary.py RESULTS COMPARISON [SHARD ...]`, with the shards that gave no results.

COMPARISON is the exit status of compare_results.py. Writes RESULTS/summary.json; the exit status is that of the whole
run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

# pytest's exit statuses: all passed, and a file in which this device has nothing to run.
PASSED = (0, 5)


def main() -> int:
    """Writes and says what became of the run."""
    results, comparison, broken = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    tests = [json.loads(path.read_text()) for path in sorted(results.glob("tests-*.json"))]
    failed = [test["shard"] for test in tests if test["exit_status"] not in PASSED]
    lines = [f"{name} failed: {results / name}.log" for name in failed]
    lines += [f"{name} gave no results: {results / name}.log" for name in broken]
    if comparison:
        lines.append(f"{'slower than what is committed' if comparison == 1 else 'the comparison failed'}: see above")
    device = json.loads((results / "device.json").read_text())
    summary = {
        **device,
        "test_files": len(tests),
        "failed": failed,
        "without_results": broken,
        "comparison": {0: "ok", 1: "slower"}.get(comparison, "failed"),
    }
    (results / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    passed = len(tests) - len(failed)
    print(f"==> {passed} of {len(tests)} files of tests passed on {device['device']}", *lines, sep="\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
