"""What bounds a layer, from the cycles of its causes (rtl.interfaces.Cause)."""

from collections.abc import Mapping

READS = ("bus", "weights", "activations")  # waiting for data from the memory; "bus" is not split by its kind
NAMES = {
    "active": "array", "fill": "window fill", "program": "commands", "requantizer": "results", "store": "STORE",
    "weights": "WEIGHTS", "activations": "LOAD",
}


def shares(causes: Mapping[str, int]) -> dict[str, int]:
    """Cycles by resource, a value of NAMES; all waiting for reads has the name of the longer wait."""
    found = {name: causes.get(cause, 0) for cause, name in NAMES.items()}
    read = NAMES[max(READS[1:], key=lambda cause: causes.get(cause, 0))]
    reads = sum(causes.get(cause, 0) for cause in READS)
    return found | {NAMES[cause]: 0 for cause in READS[1:]} | {read: reads}


def bound(causes: Mapping[str, int]) -> str:
    """The resource that the layer spends most of its cycles on, a value of NAMES; of equals the first there."""
    found = shares(causes)
    return max(found, key=lambda name: found[name])
