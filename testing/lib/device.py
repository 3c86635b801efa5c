"""What there is to test on, as JSON: `device.py [--any-device] OUTPUT.json`. Exit status 2 where there is no GPU."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import lapack_py as lap


def main() -> int:
    """Names the device."""
    arguments = [text for text in sys.argv[1:] if text != "--any-device"]
    devices = lap.devices()
    usable = [device for device in devices if not device.is_cpu or "--any-device" in sys.argv]
    if not usable:
        seen = ", ".join(device.name for device in devices) or "none at all"
        print(f"no GPU that OpenCL can use; devices: {seen}", file=sys.stderr)
        print("fix: nvidia-smi must list a GPU, and /etc/OpenCL/vendors/nvidia.icd name its library", file=sys.stderr)
        return 2
    chosen = next((device for device in usable if device.chosen), usable[0])
    found = {"device": chosen.name, "driver": chosen.driver, "number": chosen.number, "is_cpu": chosen.is_cpu}
    print(f"==> testing on {chosen.name}, driver {chosen.driver}")
    Path(arguments[0]).write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
