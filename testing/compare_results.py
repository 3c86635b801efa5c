#!/usr/bin/env python3
"""Compares measurements of a GPU with the committed ones of the same device.

    testing/compare_results.py RESULTS [BASELINE] [--threshold 10] [--slower FILE]

RESULTS has `gemm.json`, `host.json` or `svd.json` as bench/gpu_gemm.py, gpu_host.py and gpu_svd.py write them, and
maybe `gemm-2.json`, ... of further rounds: the best time of a case counts. BASELINE (bench/results) has a folder for
each device; the one whose file names the same device is compared with, and no other: times of different devices say
nothing about the code. Times that include transfers are compared only if the processor and its number of cores are the
same.

A case fell if its time is more than the threshold above the committed one, and by more than the resolution of what
measured it. Where a peer was measured beside it both times (cuBLAS, cuSOLVER) and became slower as well, the rest is
what counts: a device that runs at lower clocks today is named, and is not the code's fault.

Exit status: 0 nothing fell, or there was nothing to compare with; 1 something fell; 2 a file cannot be read, or is no
measurement. `--slower` writes the names of the files in which something fell, a line each.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """What a file of measurements has."""

    # What tells one case from another.
    names: tuple[str, ...]
    time: str
    # The peer's time in the same case, where it was measured.
    peer: str | None
    # Differences below this are the clock's, in seconds.
    resolution: float
    # What must be equal besides the device.
    machine: tuple[str, ...]
    program: str


KINDS = {
    # Device events of NVIDIA's OpenCL tick every microsecond.
    "gemm": Kind(
        ("dtype", "ops", "batch", "m", "n", "k", "beta"), "seconds", "cublas_seconds", 1e-6, (), "bench/gpu_gemm.py"
    ),
    "host": Kind(("dtype", "n"), "gpu_seconds", None, 1e-5, ("processor", "cores"), "bench/gpu_host.py"),
    "svd": Kind(("dtype", "m", "n", "spectrum", "vectors"), "seconds", "gesvd_seconds", 1e-5, (), "bench/gpu_svd.py"),
}


class Unreadable(Exception):
    """A file that is no measurement."""


def read(path: Path) -> Json:
    """A file of measurements."""
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("device"), str):
        raise Unreadable(f"{path} is no measurement: it does not name its device")
    return data


def cases(data: Json, kind: Kind, path: Path) -> dict[str, Json]:
    """The measured cases by name; the same case twice is its best."""
    listed = data.get("cases")
    if listed is None:
        # bench/gpu_svd.py has a list for each part.
        parts = [data[part] for part in ("square", "tall") if part in data]
        listed = [case for part in parts for case in part if case]
    found: dict[str, Json] = {}
    for case in listed:
        if any(name not in case for name in kind.names) or not isinstance(case.get(kind.time), int | float):
            wanted = ", ".join((*kind.names, kind.time))
            raise Unreadable(f"{path} has a case without {wanted}: {json.dumps(case)[:120]}")
        name = " ".join(f"{key}={case[key]}" if not isinstance(case[key], str) else case[key] for key in kind.names)
        # The same product by another scheme is another case.
        if "alphatensor" in str(case.get("kernels", "")):
            name += " by AlphaTensor's scheme"
        if name not in found or case[kind.time] < found[name][kind.time]:
            found[name] = case
    if not found:
        raise Unreadable(f"{path} has no cases")
    return found


def baseline_of(now: Json, kind: str, folder: Path) -> tuple[Path | None, str]:
    """The committed file of the same device, else why there is none."""
    others, machines = set(), []
    for path in sorted(folder.glob(f"*/{kind}.json")):
        data = read(path)
        different = [name for name in KINDS[kind].machine if data.get(name) != now.get(name)]
        if data["device"] != now["device"]:
            others.add(data["device"])
        elif different:
            how = ", ".join(f"{name} {data.get(name)}, not {now.get(name)}" for name in different)
            machines.append(f"{path} was measured with {how}: times that include transfers do not compare")
        else:
            return path, ""
    if machines:
        return None, "; ".join(machines)
    known = ", ".join(sorted(others)) or "no device"
    return None, (
        f"{folder} has {kind} of {known}, not of {now['device']}: nothing to compare with; to have it the next time, "
        f"commit this file as {folder}/<device>/{kind}.json"
    )


def duration(seconds: float) -> str:
    """Seconds with a unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"


@dataclass
class Verdict:
    """What became of a case."""

    fell: bool
    text: str


def judge(name: str, now: Json, was: Json, kind: Kind, threshold: float) -> Verdict | None:
    """Whether a case fell; nothing if it is within bounds."""
    new, old = float(now[kind.time]), float(was[kind.time])
    if new <= old * (1 + threshold / 100) or new - old <= kind.resolution:
        return None
    text = f"{name}: {duration(new)}, was {duration(old)}: {(new / old - 1) * 100:.0f} % slower"
    peer_now, peer_was = (data.get(kind.peer) if kind.peer else None for data in (now, was))
    if peer_now and peer_was and new / old <= float(peer_now) / float(peer_was) * (1 + threshold / 100):
        peer = kind.peer.removesuffix("_seconds") if kind.peer else ""
        device = f"{peer} took {duration(peer_now)}, was {duration(peer_was)}: the device is slower, not the code"
        return Verdict(False, f"{text}; {device}")
    return Verdict(True, text)


def compare(results: Path, folder: Path, kind_name: str, threshold: float) -> bool:
    """Compares one kind of file; whether something fell."""
    kind = KINDS[kind_name]
    name_of_round = re.compile(rf"{kind_name}(-\d)?\.json")
    rounds = sorted(path for path in results.iterdir() if name_of_round.fullmatch(path.name))
    # The first round is the one without a number.
    data = [(path, read(path)) for path in sorted(rounds, key=lambda path: len(path.name))]
    now = data[0][1]
    if strangers := [str(path) for path, other in data if other["device"] != now["device"]]:
        raise Unreadable(f"{', '.join(strangers)} and {data[0][0]} are of different devices")
    best = cases(now, kind, data[0][0])
    for path, other in data[1:]:
        for name, case in cases(other, kind, path).items():
            if name not in best or case[kind.time] < best[name][kind.time]:
                best[name] = case
    baseline, why = baseline_of(now, kind_name, folder)
    if baseline is None:
        print(f"{kind_name}: {why}")
        return False
    committed = cases(read(baseline), kind, baseline)
    both = [name for name in committed if name in best]
    if not both:
        raise Unreadable(f"{data[0][0]} has none of the cases of {baseline}")
    for name in sorted(committed.keys() - best.keys()):
        print(f"{kind_name} {name}: in {baseline}, not measured now")
    for name in sorted(best.keys() - committed.keys()):
        print(f"{kind_name} {name}: not in {baseline}")
    verdicts = [judge(name, best[name], committed[name], kind, threshold) for name in both]
    for verdict in filter(None, verdicts):
        print(f"{kind_name} {verdict.text}")
    fell = sum(1 for verdict in verdicts if verdict and verdict.fell)
    print(f"{kind_name}: {fell} of {len(both)} cases fell by more than {threshold:g} % against {baseline}")
    if fell:
        print(
            f"  measure again: {kind.program}; if it stays and is meant, commit {data[0][0]} as {baseline}, "
            "and say in the commit what it buys"
        )
    return fell > 0


def main() -> int:
    """Compares all files that are there."""
    parser = argparse.ArgumentParser(description="Compares measurements of a GPU with the committed ones.")
    parser.add_argument("results", type=Path)
    parser.add_argument("baseline", type=Path, nargs="?", default=Path("bench/results"))
    parser.add_argument("--threshold", type=float, default=10.0, help="how much slower counts, in per cent")
    parser.add_argument("--slower", type=Path, help="write the names of files in which something fell")
    given = parser.parse_args()
    if given.threshold < 0:
        parser.error("--threshold is a percentage from 0")
    there = [kind for kind in KINDS if (given.results / f"{kind}.json").is_file()]
    try:
        if not given.baseline.is_dir():
            raise Unreadable(f"there is no folder {given.baseline}")
        fell = [kind for kind in there if compare(given.results, given.baseline, kind, given.threshold)]
    except Unreadable as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not there:
        wanted = ", ".join(f"{kind}.json" for kind in KINDS)
        print(f"{given.results} has no measurements ({wanted}): nothing to compare")
    if given.slower:
        given.slower.write_text("".join(f"{kind}\n" for kind in fell))
    return 1 if fell else 0


if __name__ == "__main__":
    sys.exit(main())
