"""What is in the images, and what is not."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from runtime import Image

CHECKOUT = Path(__file__).resolve().parents[2]
WRITABLE = ("/cache", "/work", "/run/lapack-ai", "/tmp", "/var/tmp", "/run/lock")
BUDGET = 500e6
# Intel's driver is a compiler on two libraries of LLVM, all of which it uses.
BUDGET_INTEL = 540e6
AIM = 250e6


def size(root: Path) -> int:
    seen, total = set(), 0
    for folder, _, names in os.walk(root):
        for name in names:
            told = os.lstat(os.path.join(folder, name))
            if told.st_ino not in seen:
                seen.add(told.st_ino)
                total += told.st_size
    return total


def files(root: Path) -> list[Path]:
    return [Path(folder, name) for folder, _, names in os.walk(root) for name in names]


def bom(image: Image) -> dict[str, dict[str, str]]:
    """Of each kind of package (pypi, deb, cargo), the versions by name."""
    told: dict[str, dict[str, str]] = {}
    for part in json.loads((image.root / "usr/share/lapack-ai/sbom.json").read_text())["components"]:
        kind = re.match(r"pkg:(\w+)/", part.get("purl", ""))
        told.setdefault(kind[1] if kind else "", {})[part["name"]] = part["version"]
    return told


def test_the_image_for_production_is_within_its_budget(prod):
    assert size(prod.root) < AIM, f"{size(prod.root) / 1e6:.0f} MB"


def test_every_image_for_production_is_within_its_budget(each):
    budget = BUDGET_INTEL if each.folder.name == "intel" else BUDGET
    assert size(each.root) < budget, f"{size(each.root) / 1e6:.0f} MB"


def test_no_image_for_production_has_a_compiler_or_an_installer(each):
    unwanted = re.compile(
        r"(pip[0-9.]*|apt|apt-get|perl[0-9.]*|(.*-)?(gcc|g\+\+|cc|c\+\+|clang|rustc|cargo|make|as)(-[0-9.]+)?)"
    )
    found = [path for path in files(each.root) if unwanted.fullmatch(path.name) and os.access(path, os.X_OK)]
    assert [path for path in found if "bin" in path.parts] == []
    assert not list(each.root.glob("**/site-packages/pip")) + list(each.root.glob("**/dist-packages/pip"))


def test_the_user_is_a_number_that_is_not_root(each):
    user, group = each.config["User"].split(":")
    assert int(user) > 10000
    assert int(group) > 10000


def test_what_the_user_owns_or_everybody_may_write_is_where_it_is_meant_to_be(each):
    for folder, names, more in os.walk(each.root):
        for name in [*names, *more]:
            path = Path(folder, name)
            told = path.lstat()
            inside = "/" + str(path.relative_to(each.root))
            may = told.st_uid == 10001 or (told.st_mode & stat.S_IWOTH and not stat.S_ISLNK(told.st_mode))
            assert not may or inside.startswith(WRITABLE), inside


def test_labels_say_what_the_image_is(each):
    labels = each.config["Labels"]
    version = re.search(r'^version = "(.+)"', (CHECKOUT / "Cargo.toml").read_text(), re.MULTILINE)
    prefix = "org.opencontainers.image."
    assert labels[prefix + "version"] == version[1]
    assert labels[prefix + "licenses"] == "MIT OR Apache-2.0"
    assert re.fullmatch(r"[0-9a-f]{40}", labels[prefix + "revision"])
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", labels[prefix + "created"])
    assert labels["ai.lapack.devices"] == each.folder.name
    for key in ("title", "description", "source", "documentation", "vendor", "base.name"):
        assert labels[prefix + key]


def test_the_health_check_is_the_entry_points(each):
    check = each.config["Healthcheck"]
    assert check["Test"] == ["CMD", "lapack-ai-entrypoint", "health"]
    assert check["Interval"] > check["Timeout"] > 0


def test_nvidias_driver_is_named_to_the_loader_and_asked_of_the_runtime(prod):
    assert (prod.root / "etc/OpenCL/vendors/nvidia.icd").read_text() == "libnvidia-opencl.so.1\n"
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in prod.config["Env"]


def test_the_list_of_parts_has_the_python_packages_that_are_there(each):
    listed = bom(each)["pypi"]
    site = next(each.root.glob("opt/lapack-ai/lib/python3*/site-packages"))
    there = {}
    for info in site.glob("*.dist-info/METADATA"):
        fields = dict(line.split(": ", 1) for line in info.read_text().split("\n\n")[0].splitlines() if ": " in line)
        there[fields["Name"].lower().replace("_", "-")] = fields["Version"]
    assert {"numpy", "scipy-openblas32", "lapack-py"} <= set(there)
    assert {name.lower().replace("_", "-"): version for name, version in listed.items()} == there


def test_the_list_of_parts_has_the_systems_packages_and_the_linked_crates(each):
    listed = bom(each)
    status = (each.root / "var/lib/dpkg/status").read_text()
    installed = re.findall(r"^Package: (\S+)\n(?:\w+: yes\n)*Status: install ok installed", status, re.MULTILINE)
    assert set(listed["deb"]) == set(installed)
    assert {"pyo3", "clap", "axum", "opencl3", "lapack-ai-cli"} <= set(listed["cargo"])
    # Crates of the workspace that are in neither.
    assert not {"lapack-ai-dropin", "lapack-ai-capi"} & set(listed["cargo"])


def test_the_list_of_parts_is_valid_cyclonedx(each, tmp_path):
    schema = pytest.importorskip("cyclonedx.validation.json", reason="pip install 'cyclonedx-python-lib[validation]'")
    from cyclonedx.schema import SchemaVersion

    text = (each.root / "usr/share/lapack-ai/sbom.json").read_text()
    version = SchemaVersion.from_version(json.loads(text)["specVersion"])
    assert schema.JsonStrictValidator(version).validate_str(text) is None


def test_modules_are_compiled_beforehand(prod):
    """A root file system that is only read keeps nothing that is compiled at a start."""
    site = next(prod.root.glob("opt/lapack-ai/lib/python3*/site-packages"))
    without = [
        path for path in (site / "numpy").rglob("*.py") if not list(path.parent.glob(f"__pycache__/{path.stem}.*"))
    ]
    assert without == []


def test_the_context_of_the_build_has_no_secrets_and_nothing_that_was_built():
    ignored = (CHECKOUT / ".dockerignore").read_text().splitlines()
    for folder in ("/.git", "/.venv", "/target", "/out"):
        assert folder in ignored


def test_the_scripts_of_the_images_are_accepted_by_shellcheck():
    scripts = [path for path in (CHECKOUT / "deploy/images").iterdir() if path.read_bytes().startswith(b"#!/bin/sh")]
    assert len(scripts) >= 5
    done = subprocess.run(["shellcheck", *map(str, scripts)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
