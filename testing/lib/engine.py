"""What the scripts ask SkyPilot's own Python for: prices from its catalogue, and the task file for one cloud.

    engine.py --cloud aws --gpus T4,L4 --max-price 1.0 --hours 1.5 [--region R]
              [--task TEMPLATE OUTPUT --shards tests [--wheel FILE] [--resume DIR]]

Prints the cheapest spot offer of each GPU beside its price on demand, and writes the task, which the engine must
accept. Exit status 4: the cheapest is above the limit; 3: the catalogue has no price, or cannot be had. The task is
written all the same. SkyPilot fetches its catalogue when it is first asked and keeps it for some hours; without a
network and without a kept one there are no prices, and none are made up.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

NAMES = {"aws": "AWS", "gcp": "GCP", "azure": "Azure"}
NO_PRICE, TOO_DEAR = 3, 4
# Where the machine has what is sent beside the working tree.
REMOTE = "/tmp/lapack-ai"


def offers(cloud: str, gpus: list[str], region: str | None) -> list[Any]:
    """Offers with one GPU of these kinds that have a spot price, the cheapest first."""
    from sky import catalog

    found = catalog.list_accelerators(
        gpus_only=True,
        name_filter=f"^(?:{'|'.join(gpus)})$",
        region_filter=f"^{region}$" if region else None,
        quantity_filter=1,
        clouds=cloud,
        all_regions=True,
    )
    usable = [
        offer
        for some in found.values()
        for offer in some
        if not math.isnan(offer.spot_price) and offer.spot_price > 0 and (offer.cpu_count or 0) >= 4
    ]
    return sorted(usable, key=lambda offer: (offer.spot_price, offer.region))


def age_of_catalogue(cloud: str) -> str:
    """When the prices were fetched."""
    from sky.catalog import common

    path = Path(common.get_catalog_path(f"{cloud}/vms.csv"))
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime))


def reason(error: Exception) -> str:
    """Why there is no catalogue, in a line."""
    if type(error).__name__ in {"ConnectionError", "ConnectTimeout", "ProxyError", "SSLError"}:
        return "it is not kept on this computer, and its address cannot be reached"
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def prices(given: argparse.Namespace) -> int:
    """Prints what is expected to be paid; refuses what is above the limit."""
    name = NAMES[given.cloud]
    logging.disable(logging.CRITICAL)
    try:
        # Its progress is meant for its own client.
        with contextlib.redirect_stdout(io.StringIO()):
            found = offers(given.cloud, given.gpus, given.region)
    except Exception as error:
        # Whatever goes wrong in there, no price is known.
        print(f"SkyPilot's catalogue of {name} cannot be had, so no price is known: {reason(error)}", file=sys.stderr)
        return NO_PRICE
    where = f" in {given.region}" if given.region else ""
    if not found:
        told = f"SkyPilot's catalogue has no spot price of {', '.join(given.gpus)} on {name}{where}: name another --gpu"
        print(told, file=sys.stderr)
        return NO_PRICE
    print(f"spot prices of {name}{where} in SkyPilot's catalogue, fetched {age_of_catalogue(given.cloud)}:")
    for gpu in given.gpus:
        offer = next((offer for offer in found if offer.accelerator_name == gpu), None)
        if offer is None:
            print(f"  {gpu}: none")
            continue
        text = f"  {gpu}: ${offer.spot_price:.3f} an hour ({offer.instance_type}, {offer.region})"
        if not math.isnan(offer.price) and offer.price > 0:
            text += f"; on demand ${offer.price:.3f}, saving {(1 - offer.spot_price / offer.price) * 100:.0f} %"
        print(text)
    cheapest = found[0].spot_price
    if cheapest > given.max_price:
        print(
            f"the cheapest is ${cheapest:.3f} an hour, above --max-price {given.max_price:g}: nothing is started",
            file=sys.stderr,
        )
        return TOO_DEAR
    print(f"expected: ${cheapest * given.hours:.2f} if all {given.hours:g} h are used, disk and traffic not included")
    return 0


def in_block_style(dumper: Any, text: str) -> Any:
    """How a text stands in the task file."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def task(given: argparse.Namespace) -> None:
    """Writes the task for one cloud, and has the engine read it."""
    import sky
    import yaml

    template, output = given.task
    data = yaml.safe_load(template.read_text())
    resources = data["resources"]
    resources["any_of"] = [{"infra": f"{given.cloud}/{given.region}" if given.region else given.cloud}]
    resources["accelerators"] = dict.fromkeys(given.gpus, 1)
    resources["max_hourly_cost"] = given.max_price
    data["envs"] |= {"MAX_MINUTES": str(math.ceil(given.hours * 60)), "SHARDS": given.shards}
    mounts = {}
    if given.wheel:
        mounts[f"{REMOTE}/wheel/{given.wheel.name}"] = str(given.wheel.resolve())
        data["envs"]["WHEEL"] = f"{REMOTE}/wheel/{given.wheel.name}"
    if given.resume:
        mounts[data["envs"]["RESULTS"]] = str(given.resume.resolve())
    if mounts:
        data["file_mounts"] = mounts
    # Commands of several lines stay readable in what --dry-run shows.
    yaml.SafeDumper.add_representer(str, in_block_style)
    output.write_text(yaml.safe_dump(data, sort_keys=False, width=200))
    sky.Task.from_yaml(str(output))


def main() -> int:
    """Prices, and the task if it is asked for."""
    os.environ["SKYPILOT_DISABLE_USAGE_COLLECTION"] = "1"
    parser = argparse.ArgumentParser()
    parser.add_argument("--cloud", choices=NAMES, required=True)
    parser.add_argument("--gpus", type=lambda text: text.split(","), required=True)
    parser.add_argument("--max-price", type=float, required=True)
    parser.add_argument("--hours", type=float, required=True)
    parser.add_argument("--region")
    parser.add_argument("--task", type=Path, nargs=2, metavar=("TEMPLATE", "OUTPUT"))
    parser.add_argument("--shards", default="tests")
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--resume", type=Path)
    given = parser.parse_args()
    status = prices(given)
    if given.task:
        task(given)
    return status


if __name__ == "__main__":
    sys.exit(main())
