"""The Compose file: its schema, and its services' own commands, rights and volumes in the built images."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from runtime import Pod

CHECKOUT = Path(__file__).resolve().parents[2]
FILE = CHECKOUT / "deploy/compose.yaml"


def service(name):
    told = yaml.safe_load(FILE.read_text())["services"][name]
    # Variables that are not set have their defaults.
    return json.loads(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", json.dumps(told)))


def pod_of(told):
    """A service as a pod with one container, `main`; the checkout is only read."""
    user, group = (int(part) for part in told["user"].split(":"))
    mounts = [{"name": path.strip("/"), "mountPath": path} for path in told["tmpfs"]]
    for volume in told["volumes"]:
        source, inside = volume.split(":")
        if source != "..":
            mounts.append({"name": source, "mountPath": inside})
    return {
        "securityContext": {"fsGroup": int(told["group_add"][0])},
        "volumes": [{"name": mount["name"], "emptyDir": {}} for mount in mounts],
        "containers": [
            {
                "name": "main",
                "args": told["command"],
                "env": [{"name": key, "value": value} for key, value in told.get("environment", {}).items()],
                "volumeMounts": mounts,
                "securityContext": {
                    "runAsUser": user,
                    "runAsGroup": group,
                    "readOnlyRootFilesystem": told["read_only"],
                    "allowPrivilegeEscalation": "no-new-privileges:true" not in told["security_opt"],
                    "capabilities": {"drop": told["cap_drop"]},
                },
            }
        ],
    }


def test_the_schema_of_compose_accepts_it():
    pytest.importorskip("check_jsonschema", reason="pip install check-jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_services_are_those_that_are_documented():
    assert set(yaml.safe_load(FILE.read_text())["services"]) >= {"shell", "jupyter", "monitor", "test", "build", "gpu"}
    for name in ("shell", "jupyter", "monitor", "test", "gpu", "gpu-amd", "gpu-intel"):
        told = service(name)
        assert told["read_only"] is True
        assert told["cap_drop"] == ["ALL"]


def test_ports_are_open_to_this_machine_only():
    for told in yaml.safe_load(FILE.read_text())["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in told.get("ports", []))


@pytest.mark.parametrize(("name", "port", "path"), [("jupyter", 8888, "/api"), ("monitor", 8080, "/health/ready")])
def test_a_service_answers_within_ten_seconds(dev, prod, tmp_path, name, port, path):
    image = prod if name == "monitor" else dev
    binds = {} if name == "monitor" else {"/work": str(CHECKOUT)}
    with Pod(image, pod_of(service(name)), tmp_path, binds=binds) as pod:
        container = pod.start("main")
        while pod.get(port, path, {"Host": "localhost"})[0] != 200:
            assert container.process.poll() is None, container.output()
            assert time.monotonic() - container.started < 10, container.output()
            time.sleep(0.05)


def test_the_shell_has_the_toolchain_of_python_and_reads_the_checkout(dev, tmp_path):
    told = service("shell")
    told["command"] = ["shell", "-c", "maturin --version && ruff --version && ls /work/Cargo.toml && touch /cache/x"]
    with Pod(dev, pod_of(told), tmp_path, binds={"/work": str(CHECKOUT)}) as pod:
        container = pod.start("main")
        assert container.process.wait(timeout=30) == 0, container.output()


def test_a_module_that_was_built_in_the_checkout_is_the_one_that_is_used(dev, tmp_path):
    """As the service `build` leaves it there; here it is the installed one's, beside a changed Python module."""
    site = next(dev.root.glob("opt/lapack-ai/lib/python3*/site-packages/lapack_py"))
    checkout = tmp_path / "checkout/python"
    checkout.mkdir(parents=True)
    subprocess.run(["cp", "-r", str(site), str(checkout)], check=True)
    with (checkout / "lapack_py/__init__.py").open("a") as module:
        module.write("\nedited = True\n")
    told = service("shell")
    told["command"] = ["python", "-c", "import lapack_py; print(lapack_py.edited, lapack_py.__file__)"]
    with Pod(dev, pod_of(told), tmp_path, binds={"/work": str(tmp_path / "checkout")}) as pod:
        container = pod.start("main")
        container.process.wait(timeout=30)
        assert container.output() == "True /work/python/lapack_py/__init__.py\n"
