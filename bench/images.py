"""Sizes of the built images, times from their start to their use, and the time to set up the library or its parts.

    python bench/images.py          writes bench/results/cpu/images.json

It needs what `make test-images` needs, and an index of Python packages. Images are those that `make images` left
unpacked. Starts are those of the Kubernetes manifests' own commands and probes, without a pull of the image.

Setting up is measured in fresh environments, each way twice: with an empty cache of pip, so that all is downloaded, and
with a full one; the ways take turns. The manual way is a script that a person would have to write: how long that takes
is not counted, nor is the installation of OpenCL's loader, which both ways need.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/images"))

import yaml
from machine import processor
from runtime import Image, Pod, hardened

CHECKOUT = Path(__file__).resolve().parents[1]

# The first singular values by this library, and by the parts: a matrix goes to the OpenCL device and back, and SciPy's
# LAPACK decomposes it, since pyopencl has no decompositions.
OURS = """
import numpy as np, lapack_py as lap
a = np.random.default_rng(0).standard_normal((500, 500))
print(lap.svd(a)[1][0])
"""
BY_HAND = """
import numpy as np, scipy.linalg
a = np.random.default_rng(0).standard_normal((500, 500))
try:
    import pyopencl as cl, pyopencl.array
    queue = cl.CommandQueue(cl.create_some_context(interactive=False))
    a = cl.array.to_device(queue, a).get()
except cl.Error:
    pass
print(scipy.linalg.svd(a)[1][0])
"""


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def setting_up(packages: list[str], program: str, cache: Path | None) -> tuple[dict[str, float], str]:
    """From nothing to the first result: seconds of each step, and the result. Without `cache` all is downloaded."""
    with tempfile.TemporaryDirectory(prefix="lapack-ai-set-up-") as folder:
        python = f"{folder}/venv/bin/python"
        where = ["--no-cache-dir"] if cache is None else ["--cache-dir", str(cache)]
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *where, *packages]
        steps = {
            "environment": timed(lambda: subprocess.run([sys.executable, "-m", "venv", f"{folder}/venv"], check=True)),
            "installation": timed(lambda: subprocess.run(install, check=True)),
        }
        told: list[str] = []
        steps["first result"] = timed(
            lambda: told.append(
                subprocess.run([python, "-c", program], check=True, stdout=subprocess.PIPE, text=True).stdout
            )
        )
        return {**steps, "total": sum(steps.values())}, told[0]


def compare_set_up(wheel: Path, runs: int) -> dict[str, object]:
    """Medians for both ways and both states of pip's cache."""
    ways = {
        "lapack-py": ([str(wheel)], OURS),
        "by hand": (["numpy", "scipy", "pyopencl"], BY_HAND),
    }
    told: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="lapack-ai-pip-") as cache:
        for name, packages_and_program in ways.items():
            print(f"filling pip's cache: {name}", flush=True)
            setting_up(*packages_and_program, Path(cache))
        for state, where in (("all downloaded", None), ("full cache of pip", Path(cache))):
            rows: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
            for _ in range(runs):
                values = set()
                for name, packages_and_program in ways.items():
                    steps, result = setting_up(*packages_and_program, where)
                    rows[name].append(steps)
                    values.add(round(float(result), 8))
                assert len(values) == 1, f"the two ways disagree: {values}"
            medians = {
                name: {step: round(statistics.median(row[step] for row in mine), 2) for step in mine[0]}
                for name, mine in rows.items()
            }
            less = 1 - medians["lapack-py"]["total"] / medians["by hand"]["total"]
            told[state] = {"seconds": medians, "less": round(less, 3)}
            print(state, json.dumps(told[state]), flush=True)
    return told


def size(root: Path) -> int:
    """Bytes of the files; hard links once."""
    seen = {}
    for folder, _, names in os.walk(root):
        for name in names:
            told = os.lstat(os.path.join(folder, name))
            seen[told.st_ino] = told.st_size
    return sum(seen.values())


def starts(images: Path, runs: int) -> dict[str, float]:
    """Seconds from the start of a container to its use; medians."""
    prod = Image(images / "nvidia")
    kubectl = shutil.which("kubectl")
    told: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> None:
        told.setdefault(name, []).append(seconds)

    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="lapack-ai-starts-") as folder:
            if kubectl:
                overlay = CHECKOUT / "deploy/kubernetes/overlays/cpu"
                text = subprocess.run([kubectl, "kustomize", str(overlay)], check=True, stdout=subprocess.PIPE).stdout
                pods = {
                    part["metadata"]["name"]: part["spec"]["template"]["spec"]
                    for part in yaml.safe_load_all(text)
                    if part["kind"] == "Deployment"
                }
                both = {
                    **pods["lapack-ai-worker"],
                    "containers": [spec for pod in pods.values() for spec in pod["containers"]],
                }
                secrets = {("lapack-ai-dashboard", "token"): "0123456789abcdef"}
                with Pod(prod, both, Path(folder), hosts=["lapack-ai-scheduler"], secrets=secrets) as pod:
                    for name in ("monitor", "scheduler", "worker"):
                        note(f"{name}, startup and readiness probes", pod.start(name).wait_for("startup", "readiness"))
        roles = {
            "first svd": ["python", "-c", OURS],
            "greeting": [],
            "health": ["health"],
        }
        for name, command in roles.items():
            with (
                tempfile.TemporaryDirectory(prefix="lapack-ai-starts-") as folder,
                Pod(prod, hardened(*command), Path(folder)) as pod,
            ):
                start = time.perf_counter()
                container = pod.start("main")
                assert container.process.wait(timeout=60) == 0, container.output()
                note(f"{name}, to its end", time.perf_counter() - start)
        if (images / "dev/image.json").exists():
            with (
                tempfile.TemporaryDirectory(prefix="lapack-ai-starts-") as folder,
                Pod(Image(images / "dev"), hardened("jupyter"), Path(folder)) as pod,
            ):
                container = pod.start("main")
                while pod.get(8888, "/api", {})[0] != 200:
                    assert container.process.poll() is None, container.output()
                    time.sleep(0.02)
                note("jupyter of the development image, first answer", time.monotonic() - container.started)
    return {name: round(statistics.median(seconds), 2) for name, seconds in told.items()}


def main() -> int:
    """Measures all, and writes it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=Path("/var/tmp/lapack-ai-images/unpacked"))
    parser.add_argument("--output", type=Path, default=CHECKOUT / "bench/results/cpu/images.json")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["images", "set-up"], help="the other half stays as it was written down")
    chosen = parser.parse_args()
    wheel = next(iter((CHECKOUT / "dist").glob("lapack_py-*.whl")), None)
    if wheel is None or not (chosen.images / "nvidia/image.json").exists():
        sys.exit("images.py: there is no wheel in dist/ or no image: make images")
    built = {path.parent.name: path.parent for path in sorted(chosen.images.glob("*/image.json"))}
    told = json.loads(chosen.output.read_text()) if chosen.only else {}
    told["machine"] = {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    if chosen.only != "set-up":
        told["images"] = {
            name: {
                "base": Image(folder).config["Labels"]["org.opencontainers.image.base.name"],
                "unpacked_megabytes": round(size(folder / "rootfs") / 1e6),
            }
            for name, folder in built.items()
        }
        told["start_seconds"] = starts(chosen.images, chosen.runs)
        told["load_average"] = round(os.getloadavg()[0], 1)
    if chosen.only != "images":
        told["set_up"] = compare_set_up(wheel, chosen.runs)
    chosen.output.write_text(json.dumps(told, indent=1) + "\n")
    print(f"==> {chosen.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
