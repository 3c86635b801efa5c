"""A cloud that costs nothing: programs that stand in for `sky` and `scp`, and record how they were called.

The catalogue is read, and the task accepted, by SkyPilot itself, from an environment of its own (`make test-deploy`
makes it; LAPACK_AI_SKYPILOT names another). What is never here is a machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKYPILOT = Path(os.environ.get("LAPACK_AI_SKYPILOT", ROOT / ".venv/skypilot"))

# Behaves as FAKE_* say; `up` in its folder is the machine.
SKY = r"""#!/usr/bin/env bash
here=$(dirname "$0")
echo "$*" >>"$here/calls"
case $1 in
    api) [ "$2" = info ] && echo "No SkyPilot API server is connected" ;;
    check)
        if [ -n "${FAKE_REFUSED:-}" ]; then
            case $* in
                *json*) echo '{"default": {}}' ;;
                *) printf '  AWS: disabled\n    Reason [compute]: the key was refused\n\n' ;;
            esac
        else
            echo "{\"default\": {\"${FAKE_CLOUD:-AWS}\": [\"compute\"]}}"
        fi
        ;;
    launch)
        touch "$here/up"
        number=$(ls "$here" | grep -c '^task')
        cp "${@: -1}" "$here/task$number"
        case ${FAKE_LAUNCH:-pass} in
            hang) sleep 400 & echo $! >"$here/hanging"; wait; exit 1 ;;
            preempted)
                mkdir -p "$here/remote" && echo '{"shard": "tests-a", "exit_status": 0}' >"$here/remote/tests-a.json"
                sleep 1.5
                if [ "$number" = 0 ]; then rm "$here/up"; exit 1; fi
                ;;
        esac
        mkdir -p "$here/remote" && echo '{}' >"$here/remote/summary.json"
        [ "${FAKE_LAUNCH:-}" != failing ] || exit 100
        ;;
    status) if [ -e "$here/up" ]; then echo "[{\"name\": \"$3\"}]"; else printf 'Not found: %s\n[]\n' "$3"; fi ;;
    down) [ -n "${FAKE_STUCK:-}" ] || rm -f "$here/up" ;;
esac
"""
SCP = r"""#!/usr/bin/env bash
here=$(dirname "$0")
[ -e "$here/up" ] && cp "$here"/remote/* "${@: -1}"
"""
# The columns are those of the engine's files; the prices are these tests' own.
T4, L4 = (f"\"{{'Gpus': [{{'Name': '{name}', 'MemoryInfo': {{'SizeInMiB': 16384}}}}]}}\"" for name in ("T4", "L4"))
CATALOGUE = {
    "aws/vms.csv": f"""\
InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone,Arch
g4dn.xlarge,T4,1.0,4.0,16.0,{T4},0.8,0.2,us-east-1,use1-az1,x86_64
g4dn.xlarge,T4,1.0,4.0,16.0,{T4},0.9,0.6,eu-west-1,euw1-az1,x86_64
g6.xlarge,L4,1.0,4.0,16.0,{L4},1.0,0.4,us-east-1,use1-az1,x86_64
""",
    "gcp/vms.csv": f"""\
InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GpuInfo,Region,AvailabilityZone,Price,SpotPrice
g2-standard-4,4.0,16.0,,,,us-central1,us-central1-a,0.5,0.1
,,,L4,1.0,{L4},us-central1,us-central1-a,0.5,0.2
""",
    "azure/vms.csv": f"""\
InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,Generation
Standard_NC4as_T4_v3,T4,1.0,4.0,28.0,{T4},0.5,0.1,eastus,V2
""",
}


@dataclass
class Cloud:
    """A home directory with a catalogue, and a folder with the programs."""

    home: Path
    programs: Path
    results: Path

    def environment(self, **settings: str) -> dict[str, str]:
        """What a script sees: nothing of this computer's accounts, and no way to any network."""
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        nowhere = "http://127.0.0.1:9"
        return {
            **kept,
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LAPACK_AI_SKY": str(self.programs / "sky"),
            "LAPACK_AI_FETCH_SECONDS": "0.5",
            "LAPACK_AI_RETRY_SECONDS": "0",
            "HTTPS_PROXY": nowhere,
            "AWS_EC2_METADATA_DISABLED": "true",
            **settings,
        }

    def command(self, cloud: str, *options: str) -> list[str]:
        """The script for spot machines."""
        return [str(ROOT / f"testing/{cloud}_spot_gpu.sh"), "--results", str(self.results), *options]

    def run(self, cloud: str, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Runs it."""
        environment = self.environment(**settings)
        return subprocess.run(
            self.command(cloud, *options), capture_output=True, text=True, timeout=500, env=environment, check=False
        )

    def calls(self, *, starting: str = "") -> list[str]:
        """How `sky` was called."""
        record = self.programs / "calls"
        lines = record.read_text().splitlines() if record.exists() else []
        return [line for line in lines if line.startswith(starting)]

    def has_machine(self) -> bool:
        """Whether something runs."""
        return (self.programs / "up").exists()


def write_program(path: Path, text: str) -> None:
    """A program of a few lines."""
    path.write_text(text)
    path.chmod(0o755)


def make_cloud(folder: Path, *, catalogue: bool = True) -> Cloud:
    """A cloud of its own for a test."""
    cloud = Cloud(folder / "home", folder / "programs", folder / "results")
    for path in (cloud.home, cloud.programs):
        path.mkdir(parents=True)
    write_program(cloud.programs / "sky", SKY)
    write_program(cloud.programs / "scp", SCP)
    write_program(cloud.programs / "python", f'#!/bin/sh\nexec "{SKYPILOT}/bin/python" "$@"\n')
    if catalogue:
        for name, text in CATALOGUE.items():
            path = cloud.home / ".sky/catalogs/v8" / name
            path.parent.mkdir(parents=True)
            path.write_text(text)
    return cloud


def skypilot_is_there() -> bool:
    """Whether its environment was made."""
    return sys.platform != "win32" and (SKYPILOT / "bin/sky").exists()
