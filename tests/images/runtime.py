"""Runs containers of the built images with crun, the way a kubelet would: from a pod's own specification.

What is taken from the manifest: command and arguments, environment, security context of pod and container, limits,
volumes, probes. A pod has one network, without a way out. Nothing is fetched and no daemon runs.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Spec = Mapping[str, Any]

UNITS = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
PERIOD = 100_000
SECCOMP = Path("/usr/share/containers/seccomp.json")


def amount(text: str | int | float) -> float:
    """A quantity of Kubernetes: `250m`, `4Gi`, `2`."""
    text = str(text)
    if text.endswith("m"):
        return float(text[:-1]) / 1000
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", text)
    assert found, f"not a quantity: {text}"
    return float(found[1]) * UNITS[found[2]]


def missing() -> str | None:
    """What this machine lacks to run containers, in one line; None if nothing."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "containers are run here by root on Linux only: sudo make test-images"
    for tool, package in {"crun": "crun", "unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2"}.items():
        if not shutil.which(tool):
            return f"{tool} is missing: apt-get install {package}"
    return None


def _crun() -> list[str]:
    """crun refuses machines with both versions of control groups, so it is shown the first only."""
    hybrid = Path("/sys/fs/cgroup/unified/cgroup.controllers")
    plain = ["crun", "--cgroup-manager=cgroupfs"]
    if not hybrid.exists():
        return plain
    hide = 'umount /sys/fs/cgroup/unified && exec "$@"'
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", hide, "sh", *plain]


def _seccomp() -> dict[str, Any] | None:
    """The engines' common profile, which is their `RuntimeDefault`, for a container without capabilities."""
    if not SECCOMP.exists():
        return None
    told = json.loads(SECCOMP.read_text())
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    rules = []
    for rule in told["syscalls"]:
        only, but = rule.get("includes", {}), rule.get("excludes", {})
        if only.get("caps") or machine in but.get("arches", []) or machine not in only.get("arches", [machine]):
            continue
        kept = {key: rule[key] for key in ("names", "action", "errnoRet") if rule.get(key) is not None}
        kept["args"] = [
            {key: value for key, value in part.items() if key in ("index", "value", "valueTwo", "op")}
            for part in rule.get("args") or []
        ]
        rules.append(kept)
    native = f"SCMP_ARCH_{platform.machine().upper()}"
    return {"defaultAction": told["defaultAction"], "defaultErrnoRet": 38, "architectures": [native], "syscalls": rules}


@dataclass(frozen=True)
class Image:
    """An unpacked image: its file system, and what starts it."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "rootfs"

    @property
    def config(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "image.json").read_text()))


@dataclass
class Container:
    """A container that was started. Its output is in a file, since pipes may be full."""

    name: str
    spec: Spec
    process: subprocess.Popen[bytes]
    log: Path
    started: float
    pod: Pod

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def execute(self, *command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """A further process in it, as `kubectl exec` or an exec probe."""
        return subprocess.run(
            [*_crun(), "exec", self.name, *command], capture_output=True, text=True, check=False, timeout=timeout
        )

    def _state(self) -> dict[str, Any]:
        done = subprocess.run([*_crun(), "state", self.name], capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {"status": "none"}

    def is_up(self) -> bool:
        """Whether its first process runs."""
        return self._state()["status"] == "running"

    def pid(self) -> int:
        """Of its first process, outside."""
        return int(self._state()["pid"])

    def status(self) -> dict[str, str]:
        """The kernel's word on the first process: capabilities, system call filter, ids."""
        lines = Path(f"/proc/{self.pid()}/status").read_text().splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def signal(self, number: signal.Signals) -> float:
        """Sends a signal to the first process; seconds until the container ended."""
        start = time.monotonic()
        subprocess.run([*_crun(), "kill", self.name, number.name], check=True, capture_output=True)
        self.process.wait(timeout=60)
        return time.monotonic() - start

    def probe(self, kind: str) -> str | None:
        """One try of a probe of the manifest: None if it passed, else what went wrong."""
        told = self.spec[f"{kind}Probe"]
        limit = told.get("timeoutSeconds", 1)
        if "exec" in told:
            try:
                done = self.execute(*told["exec"]["command"], timeout=limit)
            except subprocess.TimeoutExpired:
                return f"no answer within {limit} s"
            return None if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"status {done.returncode}"
        ports = {port["name"]: port["containerPort"] for port in self.spec.get("ports", [])}
        if "httpGet" in told:
            get = told["httpGet"]
            headers = {item["name"]: item["value"] for item in get.get("httpHeaders", [])}
            status, text = self.pod.get(ports.get(get["port"], get["port"]), get["path"], headers, timeout=limit)
            return None if 200 <= status < 400 else f"HTTP {status}: {text.strip()}"
        port = told["tcpSocket"]["port"]
        return self.pod.connect(ports.get(port, port), timeout=limit)

    def wait_for(self, *kinds: str) -> float:
        """Tries probes one after the other, often; seconds from the start until the last of them passed."""
        for kind in kinds:
            told = self.spec[f"{kind}Probe"]
            end = self.started + told["periodSeconds"] * told["failureThreshold"]
            while (wrong := self.probe(kind)) is not None:
                assert self.process.poll() is None, f"{self.name} ended: {self.output()}"
                assert time.monotonic() < end, f"{kind} probe of {self.name}: {wrong}\n{self.output()}"
                time.sleep(0.02)
        return time.monotonic() - self.started


@dataclass
class Pod:
    """Containers that share volumes and a network. `hosts` are further names of this pod's address."""

    image: Image
    spec: Spec
    folder: Path
    hosts: list[str] = field(default_factory=list)
    secrets: Mapping[tuple[str, str], str] = field(default_factory=dict)
    binds: Mapping[str, str] = field(default_factory=dict)
    containers: list[Container] = field(default_factory=list)
    sandbox: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Pod:
        # A process that holds the network open, as a pod's pause container does.
        self.sandbox = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"],
            stdout=subprocess.PIPE,
        )
        assert self.sandbox.stdout
        assert self.sandbox.stdout.readline() == b"up\n", "no network of its own"
        (self.folder / "hosts").write_text("".join(f"127.0.0.1 {name}\n" for name in ["localhost", *self.hosts]))
        for volume in self.spec.get("volumes", []):
            self._make_volume(volume)
        return self

    def __exit__(self, *_: object) -> None:
        for container in self.containers:
            subprocess.run([*_crun(), "delete", "--force", container.name], capture_output=True, check=False)
            container.process.wait(timeout=30)
        assert self.sandbox
        assert self.sandbox.stdout
        self.sandbox.kill()
        self.sandbox.wait()
        self.sandbox.stdout.close()

    def _make_volume(self, volume: Spec) -> None:
        path = self.folder / "volumes" / volume["name"]
        path.mkdir(parents=True)
        group = self.spec.get("securityContext", {}).get("fsGroup")
        for (secret, key), value in self.secrets.items():
            if volume.get("secret", {}).get("secretName") == secret:
                (path / key).write_text(value)
                os.chown(path / key, 0, group or 0)
                (path / key).chmod(volume["secret"].get("defaultMode", 0o644))
        # An emptyDir is open to all; with fsGroup it belongs to the group, and so does what is made in it.
        if group is not None:
            os.chown(path, 0, group)
        path.chmod(0o2777)

    def _inside(self, code: str, *arguments: str, timeout: float) -> str:
        """Runs Python in the pod's network, outside its containers: what a kubelet on the node sees."""
        assert self.sandbox
        command = ["nsenter", "--target", str(self.sandbox.pid), "--net", sys.executable, "-S", "-c", code, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=timeout + 5).stdout

    def get(self, port: int, path: str, headers: Mapping[str, str], timeout: float = 10) -> tuple[int, str]:
        """An HTTP request: status and body; status 0 where nobody answers."""
        code = """
import http.client, json, sys
port, path, headers, timeout = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), float(sys.argv[4])
try:
    server = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    server.request("GET", path, headers=headers)
    answer = server.getresponse()
    told = [answer.status, answer.read().decode(errors="replace")]
except OSError as error:
    told = [0, str(error)]
print(json.dumps(told))
"""
        told = json.loads(self._inside(code, str(port), path, json.dumps(dict(headers)), str(timeout), timeout=timeout))
        return int(told[0]), str(told[1])

    def connect(self, port: int, timeout: float) -> str | None:
        code = """
import socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=float(sys.argv[2])).close()
except OSError as error:
    print(error)
"""
        return self._inside(code, str(port), str(timeout), timeout=timeout).strip() or None

    def _environment(self, spec: Spec) -> list[str]:
        told = dict(item.split("=", 1) for item in self.image.config["Env"])
        for item in spec.get("env", []):
            source = item.get("valueFrom", {})
            if "fieldRef" in source:
                assert source["fieldRef"]["fieldPath"] == "status.podIP"
                value = "127.0.0.1"
            else:
                value = re.sub(r"\$\((\w+)\)", lambda match: told[match[1]], item["value"])
            told[item["name"]] = value
        return [f"{key}={value}" for key, value in told.items()]

    def configuration(self, spec: Spec) -> dict[str, Any]:
        """The OCI runtime's configuration of one container."""
        image = self.image.config
        security = {**self.spec.get("securityContext", {}), **spec.get("securityContext", {})}
        user, _, group = str(image["User"] or "0").partition(":")
        keeps = [] if security.get("capabilities", {}).get("drop") == ["ALL"] else ["CAP_CHOWN", "CAP_KILL"]
        groups = [*security.get("supplementalGroups", []), *([security["fsGroup"]] if "fsGroup" in security else [])]
        limits = spec.get("resources", {}).get("limits", {})
        resources: dict[str, Any] = {"pids": {"limit": 1024}}
        if "memory" in limits:
            resources["memory"] = {"limit": int(amount(limits["memory"]))}
        if "cpu" in limits:
            resources["cpu"] = {"quota": int(amount(limits["cpu"]) * PERIOD), "period": PERIOD}
        profile = security.get("seccompProfile", {}).get("type")
        assert self.sandbox
        network = {"type": "network", "path": f"/proc/{self.sandbox.pid}/ns/net"}
        linux = {
            "namespaces": [network, *({"type": kind} for kind in ("pid", "mount", "ipc", "uts", "cgroup"))],
            "resources": resources,
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        }
        if profile == "RuntimeDefault" and (filtered := _seccomp()):
            linux["seccomp"] = filtered
        return {
            "ociVersion": "1.0.2",
            "hostname": "pod",
            "root": {"path": str(self.image.root), "readonly": bool(security.get("readOnlyRootFilesystem"))},
            "process": {
                "terminal": False,
                "user": {
                    "uid": security.get("runAsUser", int(user)),
                    "gid": security.get("runAsGroup", int(group or 0)),
                    "additionalGids": groups,
                },
                "args": [*(spec.get("command") or image["Entrypoint"]), *spec.get("args", image.get("Cmd") or [])],
                "env": self._environment(spec),
                "cwd": image["WorkingDir"] or "/",
                "noNewPrivileges": not security.get("allowPrivilegeEscalation", True),
                "capabilities": {kind: keeps for kind in ("bounding", "effective", "permitted")},
            },
            "mounts": [*_kernel_mounts(), *self._volume_mounts(spec)],
            "linux": linux,
        }

    def _volume_mounts(self, spec: Spec) -> Iterator[dict[str, Any]]:
        places = {mount["mountPath"]: self.folder / "volumes" / mount["name"] for mount in spec.get("volumeMounts", [])}
        for inside, outside in {**places, "/etc/hosts": self.folder / "hosts"}.items():
            yield {"destination": inside, "type": "bind", "source": str(outside), "options": ["bind", "rw"]}
        for inside, source in self.binds.items():
            yield {"destination": inside, "type": "bind", "source": source, "options": ["bind", "ro"]}

    def start(self, name: str, **changes: Any) -> Container:
        """Starts the container of this name; `changes` replace entries of its specification."""
        spec = {**next(spec for spec in self.spec["containers"] if spec["name"] == name), **changes}
        identity = f"lapack-ai-{name}-{uuid.uuid4().hex[:8]}"
        bundle = self.folder / identity
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(self.configuration(spec)))
        log = bundle / "log"
        with log.open("wb") as output:
            started = time.monotonic()
            command = [*_crun(), "run", "--bundle", str(bundle), identity]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        container = Container(identity, spec, process, log, started, self)
        self.containers.append(container)
        # A short program may have ended before it could be seen.
        while process.poll() is None and not container.is_up():
            time.sleep(0.01)
        return container


def _kernel_mounts() -> list[dict[str, Any]]:
    safe = ["nosuid", "noexec", "nodev"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": [*safe, "mode=1777", "size=65536k"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*safe, "ro"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": [*safe, "ro"]},
    ]


# What `docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges` gives.
HARDENED: dict[str, Any] = {
    "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
    "volumes": [{"name": name, "emptyDir": {}} for name in ("cache", "tmp", "socket", "work")],
}
MOUNTS = [
    {"name": "cache", "mountPath": "/cache"},
    {"name": "tmp", "mountPath": "/tmp"},
    {"name": "socket", "mountPath": "/run/lapack-ai"},
    {"name": "work", "mountPath": "/work"},
]


def hardened(*arguments: str, env: Mapping[str, str] = {}, mounts: list[Spec] | None = None, **limits: str) -> Spec:
    """The specification of a pod with one container, `main`, on a root that is only read and without rights."""
    container = {
        "name": "main",
        "args": list(arguments),
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "resources": {"limits": limits},
        "volumeMounts": MOUNTS if mounts is None else mounts,
        "securityContext": {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {**HARDENED, "containers": [container]}


@contextmanager
def running(
    image: Image, folder: Path, *arguments: str, binds: Mapping[str, str] = {}, **more: Any
) -> Iterator[Container]:
    """A hardened container of an image, while the block runs."""
    with Pod(image, hardened(*arguments, **more), folder, binds=binds) as pod:
        yield pod.start("main")


def output(image: Image, folder: Path, *arguments: str, timeout: float = 120, **more: Any) -> tuple[int, str]:
    """Runs a hardened container to its end: exit status and what it said."""
    with running(image, folder, *arguments, **more) as container:
        status = container.process.wait(timeout=timeout)
        return status, container.output()
