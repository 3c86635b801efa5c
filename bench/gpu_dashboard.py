"""The dashboard beside a program that computes on the GPU, looked at in a browser and checked against other witnesses.

    python bench/gpu_dashboard.py --pictures FOLDER --output FILE [--browser PROGRAM] [--small]

`gpu_workload.py` computes; every page is opened, photographed and read. What the pages and the monitor say is compared
with what the program counted and timed itself, and with what `nvidia-smi` says of the GPU in the same seconds. Each
comparison is a line of the output, with both sides; the status is 1 if one does not hold. Needs no more than the
standard library beside the workload's needs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from devtools import Browser, Tab
from machine import processor

WORKLOAD = Path(__file__).resolve().parent / "gpu_workload.py"
# What it takes to know the engines is not among the calls that are watched.
CALIBRATION = "import lapack_py as lap; lap.calibrate(('matmul', 'svd'), ('float64', 'float32'), seconds={})"
EARLIER = ("products", "svds")
PARTS = ("products", "device_arrays", "same_operand", "svds", "batches", "solves", "doubtful")
# What each page has, once it is filled.
PAGES = {
    "overview": "x on ",
    "operations": "Last calls",
    "crossover": "GPU, predicted",
    "roofline": "CPU double: ",
    "accuracy": "LAP-E010 5 times",
    "memory": "before operands go in pieces",
    "history": "Choose a run",
    "device": "circuit breaker closed",
    "recommendations": "calls of solve on 4x4 matrices",
}
WINDOW = (1440, 900)
SMI = {
    "name": "name",
    "memory_total": "memory.total",
    "memory_used": "memory.used",
    "memory_reserved": "memory.reserved",
    "utilisation": "utilization.gpu",
    "power": "power.draw",
    "temperature": "temperature.gpu",
    "driver": "driver_version",
}
# How much the medians of two witnesses may differ that look at slightly different moments.
TOLERANCES = {"utilisation": 10.0, "power": 40.0, "temperature": 3.0}
MIB, GIB = 2**20, 2**30


class Smi(threading.Thread):
    """What `nvidia-smi` says of the first GPU, every second, with the moment; empty where there is none."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[tuple[float, dict[str, Any]]] = []
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            start = time.time()
            figures = self._ask()
            if figures is None:
                return
            self.samples.append(((start + time.time()) / 2, figures))
            self._ended.wait(max(0.0, 1 - (time.time() - start)))

    def _ask(self) -> dict[str, Any] | None:
        command = ["nvidia-smi", f"--query-gpu={','.join(SMI.values())}", "--format=csv,noheader,nounits"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"nvidia-smi: {error}", file=sys.stderr)
            return None
        values = [value.strip() for value in done.stdout.splitlines()[0].split(",")]
        return {name: self._read(name, value) for name, value in zip(SMI, values, strict=True)}

    @staticmethod
    def _read(name: str, value: str) -> Any:
        if name in ("name", "driver"):
            return value
        try:
            return float(value) * (MIB if name.startswith("memory") else 1)
        except ValueError:
            return None

    def end(self) -> None:
        self._ended.set()
        self.join(20)


class Program:
    """The workload, running."""

    def __init__(self, small: bool) -> None:
        command = [sys.executable, str(WORKLOAD), *(["--small"] if small else [])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.address = self._answer(120)

    def start(self, part: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{part}\n".encode())
        self.process.stdin.flush()

    def is_ready(self, seconds: float) -> bool:
        return bool(select.select([self.process.stdout], [], [], seconds)[0])

    def _answer(self, timeout: float) -> dict[str, Any]:
        assert self.process.stdout is not None
        if not self.is_ready(timeout):
            raise TimeoutError("the workload does not answer")
        line = self.process.stdout.readline()
        if not line:
            raise ConnectionError(f"the workload has ended with status {self.process.wait(10)}")
        return dict(json.loads(line))

    def answer(self) -> dict[str, Any]:
        return self._answer(120)

    def do(self, part: str) -> dict[str, Any]:
        self.start(part)
        return self.answer()

    def ask(self, path: str) -> str:
        url = f"http://127.0.0.1:{self.address['port']}/{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.address['token']}"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return str(answer.read().decode())

    def snapshot(self) -> dict[str, Any]:
        return dict(json.loads(self.ask("api/snapshot")))

    def end(self) -> None:
        try:
            self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def number(text: str) -> float:
    return float(text.replace(",", ""))


def gpu_on_page(text: str) -> dict[str, Any] | None:
    """The figures of a GPU as the page writes them."""
    found = re.search(
        r"(?P<name>[^\n]+)\s+in use\s+(?P<use>[\d.,]+) %"
        r"\s+memory\s+(?P<used>[\d.,]+) (?P<unit>\w+) of (?P<total>[\d.,]+) GiB"
        r"\s+(?P<power>[\d.,]+) W(?: of [\d.,]+(?: W)?)?, (?P<temperature>[\d.,]+) °C",
        text,
    )
    if not found:
        return None
    unit = {"GiB": GIB, "MiB": MIB}[found["unit"]]
    return {
        "name": found["name"],
        "utilisation": number(found["use"]),
        "memory_used": number(found["used"]) * unit,
        "memory_total": number(found["total"]) * GIB,
        "power": number(found["power"]),
        "temperature": number(found["temperature"]),
    }


class Look:
    """One look at everything; what was found is in `checks`."""

    def __init__(self, browser: Browser, program: Program, smi: Smi, pictures: Path) -> None:
        self.program, self.smi, self.pictures = program, smi, pictures
        self.tab: Tab = browser.tab(program.address["url"], *WINDOW)
        self.on_page: list[tuple[float, dict[str, Any]]] = []
        self.in_monitor: list[tuple[float, dict[str, Any]]] = []
        self.checks: list[dict[str, Any]] = []
        self.seconds: dict[str, float] = {}
        self.told: dict[str, Any] = {}

    def check(self, name: str, passed: bool, expected: Any, found: Any) -> None:
        self.checks.append({"check": name, "passed": bool(passed), "expected": expected, "found": found})
        print(f"{'ok  ' if passed else 'FAIL'} {name}: expected {expected}, found {found}", flush=True)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A failure is a check that failed, and the next step begins."""
        start = time.monotonic()
        try:
            yield
        except Exception as error:
            traceback.print_exc()
            self.check(name, False, "to end", f"{type(error).__name__}: {error}")
        self.seconds[name] = round(time.monotonic() - start, 2)

    def main(self) -> str:
        return str(self.tab.evaluate("document.querySelector('main').innerText"))

    def go_to(self, page: str) -> None:
        self.tab.evaluate(f"document.querySelector('nav a[href=\"#{page}\"]').click()")

    def picture(self, name: str) -> None:
        # Charts are drawn once a second.
        time.sleep(1.2)
        wide = self.tab.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        self.check(f"{name} fits its window", wide[0] <= wide[1], f"at most {wide[1]}", wide[0])
        self.tab.picture(self.pictures / f"gpu-{name}.png")

    def sample(self) -> None:
        """Notes what page and monitor say of the GPU now."""
        gpus = self.program.snapshot()["machine"]["gpus"]
        if gpus:
            gpus[0]["utilisation"] = None if gpus[0]["utilisation"] is None else 100 * gpus[0]["utilisation"]
            self.in_monitor.append((time.time(), gpus[0]))
        text = str(self.tab.evaluate("[...document.querySelectorAll('.gpu')].map((one) => one.innerText).join('\\n')"))
        if figures := gpu_on_page(text):
            self.on_page.append((time.time(), figures))

    def watch(self, part: str) -> None:
        """The part is computed, and the page read every half second meanwhile."""
        self.program.start(part)
        while not self.program.is_ready(0.5):
            self.sample()
        self.told = self.program.answer()

    def compare_gpu(self, when: str, start: float, names: tuple[str, ...] = tuple(TOLERANCES)) -> None:
        """Medians of page, monitor and `nvidia-smi` since the moment."""

        def median(samples: list[tuple[float, dict[str, Any]]], name: str) -> float | None:
            values = [told[name] for at, told in samples if at >= start and told.get(name) is not None]
            return statistics.median(values) if values else None

        if not self.smi.samples:
            return
        for witness, samples in (("page", self.on_page), ("monitor", self.in_monitor)):
            for name in names:
                expected, found = median(self.smi.samples, name), median(samples, name)
                same = found == expected if None in (found, expected) else abs(found - expected) <= TOLERANCES[name]
                self.check(f"{name}, {when}, {witness} and nvidia-smi", same, expected, found)
            expected, found = median(self.smi.samples, "memory_used"), median(samples, "memory_used")
            # NVML's first interface counts what the driver keeps for itself as used, nvidia-smi does not.
            reserved = median(self.smi.samples, "memory_reserved") or 0
            slack = 64 * MIB + 0.01 * (expected or 0)
            same = expected is not None and found is not None and -slack <= found - expected <= reserved + slack
            self.check(f"memory_used, {when}, {witness} and nvidia-smi", same, [expected, reserved], found)

    def identify_gpu(self) -> None:
        if not self.smi.samples:
            said = "No GPU tells its figures here" in self.main()
            self.check("without nvidia-smi the page says that no GPU tells its figures", said, True, said)
            return
        wanted = self.smi.samples[0][1]
        for witness, samples in (("page", self.on_page), ("monitor", self.in_monitor)):
            found = samples[-1][1] if samples else {"name": None, "memory_total": 0}
            self.check(
                f"name, {witness} and nvidia-smi", found["name"] == wanted["name"], wanted["name"], found["name"]
            )
            near = abs(found["memory_total"] - wanted["memory_total"]) <= 0.01 * wanted["memory_total"]
            self.check(f"memory_total, {witness} and nvidia-smi", near, wanted["memory_total"], found["memory_total"])
        self.check(
            "the device that computes", self.told["device"] == wanted["name"], wanted["name"], self.told["device"]
        )

    def work(self) -> None:
        for part in PARTS:
            with self.step(part):
                self.watch(part)
        with self.step("steady"):
            start = time.time()
            self.program.start("steady")
            while not self.program.is_ready(0.5):
                self.sample()
                if time.time() - start > 6 and not (self.pictures / "gpu-overview-at-work.png").exists():
                    self.picture("overview-at-work")
            self.told = self.program.answer()
            self.identify_gpu()
            self.compare_gpu("at work", start + 3)
        with self.step("alert"):
            # What the pool keeps for later is given back first.
            self.watch("release")
            time.sleep(2)
            self.sample()
            before = self.in_monitor[-1][1]["memory_used"] if self.in_monitor else None
            self.watch("hold")
            alerts = "[...document.querySelectorAll('.alert')].map((one) => one.innerText)"
            alert = self.tab.wait_for(f"{alerts}.find((text) => text.startsWith('pool'))")
            self.check("an alert of the pool", bool(alert), "pool ...", alert)
            self.sample()
            start = time.time()
            self.picture("overview-alert")
            self.sample()
            time.sleep(1)
            self.compare_gpu("held", start, ())
            if before is not None:
                rise = self.in_monitor[-1][1]["memory_used"] - before
                self.check(
                    "held arrays are in the GPU's memory", rise >= 0.5 * self.told["held"], self.told["held"], rise
                )
            pool = self.chosen()["pool"]
            self.check("the pool holds the arrays", pool[0] >= self.told["held"], self.told["held"], pool)
            self.go_to("memory")
            self.picture("memory-alert")
            self.watch("release")

    def chosen(self) -> dict[str, Any]:
        process = self.program.snapshot()["processes"][0]
        return dict(next(device for device in process["devices"] if device["chosen"]))

    def pages(self) -> None:
        for page, text in PAGES.items():
            with self.step(page):
                self.go_to(page)
                wanted = json.dumps(text)
                found = self.tab.wait_for(f"document.querySelector('main').innerText.includes({wanted})", 20)
                self.check(f"{page} is filled", found, text, found)
                if page == "history":
                    self.tab.wait_for("document.querySelectorAll('button.row').length >= 2", 40)
                    self.tab.evaluate("document.querySelector('button.row').click()")
                    compared = "document.querySelector('main').innerText.match(/x (faster|slower)|about the same/)?.[0]"
                    found = self.tab.wait_for(compared)
                    self.check(
                        "the run is compared with an earlier one", bool(found), "faster, slower or the same", found
                    )
                self.picture(page)
                if page == "operations":
                    self.tab.evaluate("document.querySelector('button.row').click()")
                    self.picture("operation")
        with self.step("narrow and dark"):
            self.go_to("overview")
            self.tab.look(*WINDOW, "dark")
            self.picture("overview-dark")
            self.tab.look(400, 900, "dark")
            self.picture("overview-narrow-dark")
            self.tab.look(*WINDOW, "light")

    def numbers(self) -> None:
        """After the program's last call: counts and times."""
        done = self.told["done"]
        total = sum(value for name, value in done.items() if name != "failed")
        self.go_to("overview")
        tiles = "[...document.querySelectorAll('.tile')].map((one) => one.innerText.split('\\n'))"
        tile = f"{tiles}.find((lines) => lines[0] === 'Calls')?.[1]"
        self.tab.wait_for(f"{tile} === {json.dumps(f'{total:,}')}", 5)
        found = self.tab.evaluate(tile)
        self.check("calls on the page", number(found) == total, total, found)
        self.go_to("operations")
        self.tab.wait_for("document.querySelectorAll('tbody tr').length > 0")
        rows_of_table = "[...document.querySelector('table').querySelectorAll('tbody tr')]"
        cells = f"{rows_of_table}.map((row) => [...row.cells].map((cell) => cell.innerText))"
        sums: dict[str, float] = {}
        for row in self.tab.evaluate(cells):
            name = f"{row[0].removesuffix(' (batch)')} {'opencl' if row[3] == 'GPU' else 'cpu'}"
            sums[name] = sums.get(name, 0) + number(row[4])
        for name, expected in done.items():
            if name != "failed":
                self.check(f"calls of {name} on the page", sums.get(name) == expected, expected, sums.get(name))
        process = self.program.snapshot()["processes"][0]
        self.check(
            "failures", process["totals"]["failures"] == done["failed"], done["failed"], process["totals"]["failures"]
        )
        self.check("no event was lost", process["totals"]["dropped"] == 0, 0, process["totals"]["dropped"])
        # Once a device call is known, its time by the program's clock is the monitor's and what Python adds.
        rows = {
            f"{row['operation']} {row['dtype']} {row['size']} {row['engine']}": row
            for row in process["rows"]
            if not row["batched"]
        }
        for name, clocks in self.told["clocks"].items():
            expected = statistics.median_low(clocks)
            if name in rows and expected > 1e-3:
                found = rows[name]["p50"]
                self.check(f"median of {name}", abs(found / expected - 1) < 0.3, expected, found)
        rules = {one["rule"] for one in process["recommendations"]}
        wanted = {"batch", "engine", "device-arrays", "conditioning", "fallback"}
        self.check("recommendations", wanted <= rules, sorted(wanted), sorted(rules))
        metrics = self.program.ask("metrics")
        for name in (
            "hw_gpu_utilization_ratio",
            "hw_gpu_memory_usage_bytes",
            "hw_power_watts",
            "hw_temperature_celsius",
        ):
            has = re.search(rf"^{name}\{{.*\}} [\d.e+]+$", metrics, re.M)
            self.check(
                f"/metrics has {name}", bool(has) == bool(self.smi.samples), bool(self.smi.samples), has and has[0]
            )

    def summary(self) -> dict[str, Any]:
        process = self.program.snapshot()["processes"][0]
        rows = (
            "operation",
            "dtype",
            "size",
            "engine",
            "batched",
            "calls",
            "p50",
            "p95",
            "flops",
            "seconds",
            "phases",
            "moved",
        )
        return {
            "comparisons": process["comparisons"],
            "recommendations": process["recommendations"],
            "rows": [{name: row[name] for name in rows} for row in process["rows"]],
            "limits": json.loads(self.program.ask("api/limits")),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--browser", default="chromium")
    parser.add_argument("--browser-arguments", default="", help="more of them, for machines where it needs them")
    parser.add_argument("--small", action="store_true", help="orders for a device that is a CPU")
    arguments = parser.parse_args()
    arguments.pictures.mkdir(parents=True, exist_ok=True)
    # Whoever runs out of patience still gets what was found.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    # An alert of the pool needs no more than a tenth of the GPU's memory.
    os.environ.setdefault("LAPACK_GPU_MEMORY_LIMIT", "10")
    result: dict[str, Any] = {"machine": {"processor": processor(), "cores": os.cpu_count()}}
    with tempfile.TemporaryDirectory(prefix="lapack-ai-dashboard-") as folder:
        os.environ |= {"LAPACK_AI_CACHE_DIR": folder, "LAPACK_AI_HISTORY": f"{folder}/history.db"}
        with Browser(arguments.browser, arguments.browser_arguments.split()) as browser:
            calibration = CALIBRATION.format(0.2 if arguments.small else 1)
            subprocess.run([sys.executable, "-c", calibration], timeout=120, check=True)
            earlier = Program(arguments.small)
            for part in EARLIER:
                earlier.do(part)
            earlier.end()
            smi, program = Smi(), Program(arguments.small)
            smi.start()
            look = Look(browser, program, smi, arguments.pictures)
            try:
                with look.step("live"):
                    link = "document.querySelector('[role=status]')?.innerText"
                    live = look.tab.wait_for(f"{link} === 'live'") or look.tab.evaluate(link)
                    look.check("the page is live", live is True, "live", live)
                look.work()
                program.start("live")
                look.pages()
                # Ends what is live.
                program.start("release")
                program.answer()
                look.told = program.answer()
                with look.step("numbers"):
                    look.numbers()
                with look.step("summary"):
                    result |= look.summary()
                look.check("no error on the page, and no request to others", not look.tab.faults, [], look.tab.faults)
            finally:
                smi.end()
                program.end()
                result |= {"browser": browser.version, "seconds": look.seconds, "checks": look.checks}
                result |= {"nvidia_smi": smi.samples, "page": look.on_page, "monitor": look.in_monitor}
                arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    failed = [check["check"] for check in look.checks if not check["passed"]]
    print(f"{len(look.checks)} checks, {len(failed)} failed{': ' if failed else ''}{'; '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
