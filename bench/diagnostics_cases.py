"""What NumPy, SciPy and this library say of a hundred failing calls, and whether that names the true cause.

The calls, their causes and the expressions that a text must contain to name a cause are those of
tests/diagnostics/cases; all three libraries are judged by the same expressions. A silent result is of no use: there is
no text that could name anything. The fix is the library's own, named in its text and applied.

Writes a table as Markdown and everything as JSON, where the names of the files end in .md and .json.

Usage: python bench/diagnostics_cases.py FILE...
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from diagnostics.cases import CASES, Case
from diagnostics.outcomes import Outcome, names_the_fix, outcome_of, unnamed, why_the_fix_fails

import lapack_py as lap

WIDTH = 120


def judged(case: Case, outcome: Outcome | None) -> dict[str, Any] | None:
    if outcome is None:
        return None
    missing = unnamed(case, outcome.text)
    said = {key: value for key, value in vars(outcome).items() if key not in ("codes", "result")}
    return {**said, "names_cause": outcome.loudness != "silent" and not missing, "missing": missing}


def examined(case: Case) -> dict[str, Any]:
    numpy = judged(case, outcome_of(case.numpy, case) if case.numpy else None)
    other = judged(case, outcome_of(case.scipy, case) if case.scipy else None)
    if case.needs_opencl and not lap.devices():
        own, has_fix, failed = None, False, "no OpenCL device"
    else:
        outcome = outcome_of(case.lap, case)
        own, has_fix, failed = (
            judged(case, outcome),
            names_the_fix(case, outcome.fixes),
            why_the_fix_fails(case, outcome),
        )
    return {
        "id": case.id,
        "kind": case.kind,
        "source": case.source,
        "asked": case.asked,
        "true_cause": case.true_cause,
        "numpy": numpy,
        "scipy": other,
        "lapack_py": own,
        "names_fix": has_fix,
        "fix_failed": failed,
        "steps_scipy": len(case.steps_scipy) or None,
        "steps_lapack_py": len(case.steps_lap) or None,
    }


def cell(said: dict[str, Any] | None) -> str:
    if said is None:
        return "no such call"
    if said["loudness"] == "silent":
        return "*nothing*"
    line = said["line"] if len(said["line"]) <= WIDTH else said["line"][: WIDTH - 1] + "…"
    escaped = line.replace("|", "\\|").replace("<", "&lt;")
    return f"{'warns: ' if said['loudness'] == 'warning' else ''}{escaped}"


def mark(good: bool) -> str:
    return "yes" if good else "no"


def named(said: dict[str, Any] | None) -> str:
    return "–" if said is None else mark(said["names_cause"])


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| case | true cause | NumPy | | SciPy | | LAPACK AI | cause | fix named | fix works |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        source = f"[{row['id']}]({row['source']})" if row["source"].startswith("https://") else row["id"]
        lines.append(
            f"| {source} | {row['true_cause']} | {cell(row['numpy'])} | {named(row['numpy'])} "
            f"| {cell(row['scipy'])} | {named(row['scipy'])} | {cell(row['lapack_py'])} | {named(row['lapack_py'])} "
            f"| {mark(row['names_fix'])} | {mark(row['fix_failed'] is None)} |"
        )
    return "\n".join(lines)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    libraries = {}
    for library in ("numpy", "scipy", "lapack_py"):
        said = [row[library] for row in rows if row[library] is not None]
        libraries[library] = {
            "calls": len(said),
            "names_cause": sum(one["names_cause"] for one in said),
            "silent": sum(one["loudness"] == "silent" for one in said),
        }
    steps = [row for row in rows if row["steps_scipy"]]
    return {
        **libraries,
        "all": sum(
            row["lapack_py"] is not None
            and row["lapack_py"]["names_cause"]
            and row["names_fix"]
            and row["fix_failed"] is None
            for row in rows
        ),
        "steps_scipy": sum(row["steps_scipy"] for row in steps),
        "steps_lapack_py": sum(row["steps_lapack_py"] for row in steps),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    files = parser.parse_args().files
    if unknown := [file for file in files if file.suffix not in (".md", ".json")]:
        parser.error(f"{unknown[0]} ends neither in .md nor in .json")
    rows = [examined(case) for case in CASES]
    total = summary(rows)
    versions = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "lapack_py": lap.__version__,
        "lapack": lap.library_info()["version"],
    }
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".json":
            file.write_text(json.dumps({"versions": versions, "summary": total, "cases": rows}, indent=1) + "\n")
        else:
            counts = ", ".join(
                f"{name} {total[key]['names_cause']} of {total[key]['calls']} ({total[key]['silent']} silent)"
                for name, key in (("NumPy", "numpy"), ("SciPy", "scipy"), ("LAPACK AI", "lapack_py"))
            )
            file.write_text(
                f"NumPy {versions['numpy']}, SciPy {versions['scipy']}. Texts that name the true cause: {counts}.\n"
                f"Cause and fix named, and the fix works: {total['all']} of {len(rows)}.\n"
                f"Steps from the error to a call that works, for ten cases: {total['steps_scipy']} with SciPy's texts, "
                f"{total['steps_lapack_py']} with a text that names cause and fix.\n\n{table(rows)}\n"
            )
    print(json.dumps(total, indent=1))


if __name__ == "__main__":
    main()
