"""The validators of `make lint-deploy`: what each of them finds, in a checkout that has one fault for each."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from clouds import ROOT, SKYPILOT, skypilot_is_there

VALIDATORS = Path(os.environ.get("LAPACK_AI_VALIDATORS", ROOT / ".venv/deploy"))

pytestmark = pytest.mark.skipif(
    not (skypilot_is_there() and (VALIDATORS / "bin/checkov").exists()),
    reason="no .venv/deploy and .venv/skypilot; make test-deploy makes them",
)

KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [all.yaml]\n"
# A file for each validator, and what it must say of it.
FAULTY = {
    "deploy/images/Dockerfile": (
        "FROM debian\n# hadolint ignore=DL3015\nRUN apt-get install gcc\n",
        ["CKV_DOCKER_3", "DL3014", "Dockerfile:2: an exception without its reason"],
    ),
    "deploy/compose.yaml": ("services: {shell: {imag: debian}}\n", ["'imag' was unexpected"]),
    "deploy/kubernetes/base/kustomization.yaml": (KUSTOMIZATION, []),
    "deploy/kubernetes/base/all.yaml": (
        """\
apiVersion: v1
kind: Pod
metadata:
  name: one
  annotations: {checkov.io/skip1: CKV_K8S_8=so}
spec: {containers: [{name: one, image: "one:1", comand: [sh]}]}
""",
        ["'comand' was unexpected", "CKV_K8S_20", "all.yaml:5: an exception without its reason"],
    ),
    "deploy/kubernetes/broken/kustomization.yaml": (KUSTOMIZATION, ["deploy/kubernetes/broken: "]),
    ".github/workflows/one.yml": (
        """\
on: {push: {branches: main, tag: [v1]}}
permissions: write-all
jobs:
  one:
    runs-on: ubuntu-24.04
    steps:
      - run: |
          cd $HOME
          echo ${{ github.nothing }}
""",
        ["CKV2_GHA_1", 'property "nothing" is not defined', "$.on: {'push'", "one.yml, one, step 1:"],
    ),
    "testing/one.sky.yaml": (
        "resources: {infra: aws, use_sport: true}\nrun: echo $1\n",
        ["use_sport", "one.sky.yaml, run:"],
    ),
    "testing/one": (
        "#!/bin/bash\n# shellcheck disable=SC2034\nunused=1\necho $1\n",
        ["SC2086", "testing/one:2: an exc"],
    ),
}


def lint(folder: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    (folder / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "bin/lint-deploy", folder / "bin/lint-deploy")
    (folder / ".venv").mkdir()
    (folder / ".venv/skypilot").symlink_to(SKYPILOT)
    (folder / ".gitignore").write_text("/.venv/\n/out/\n")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    # Without a network: whatever asks for one is told that there is none.
    nowhere = {name: "http://127.0.0.1:9" for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")}
    command = [VALIDATORS / "bin/python", "bin/lint-deploy"]
    environment = {**os.environ, **nowhere}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> str:
    files = {name: text for name, (text, _) in FAULTY.items()}
    done = lint(tmp_path_factory.mktemp("faulty"), files)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("text", [text for _, texts in FAULTY.values() for text in texts])
def test_each_fault_is_found(said, text):
    assert text in said


def test_each_validator_says_how_much_it_read(said):
    for name in ("hadolint", "checkov, manifests", "SkyPilot", "compose schema", "kubernetes-validate", "shellcheck"):
        assert f"  {name}: 1 read" in said


def test_a_folder_in_which_nothing_would_be_checked_is_a_fault(tmp_path):
    done = lint(tmp_path, {"deploy/images/install": "x", "deploy/kubernetes/notes.txt": "x", "testing/a.sh": "true\n"})
    assert done.returncode == 1
    assert "deploy/images has no Dockerfile" in done.stderr
    assert "deploy/kubernetes has no kustomization" in done.stderr
    assert "testing has no cloud task" in done.stderr


def test_what_is_not_there_is_said_and_is_no_fault(tmp_path):
    done = lint(tmp_path, {"README.md": "x"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  hadolint: none here" in done.stdout
