"""What bounds a layer, from the cycles of its causes (rtl.interfaces.Cause)."""

from collections.abc import Mapping

READS = ("bus", "weights", "activations")  # waiting for data from the memory; "bus" is not split by its kind
NAMES = {
    "active": "array", "fill": "window fill", "program": "commands", "requantizer": "results", "store": "STORE",
    "weights": "WEIGHTS", "activations": "LOAD",
}


def bound(causes: Mapping[str, int]) -> str:
    """The resource that the layer spends most of its cycles on, a value of NAMES; of equals the first there.

    Waiting for WEIGHTS and for LOAD commands counts together, and then has the name of the longer wait.
    """
    shares = {cause: causes.get(cause, 0) for cause in NAMES}
    read = max(READS[1:], key=lambda cause: shares[cause])
    shares = shares | dict.fromkeys(READS[1:], 0) | {read: sum(causes.get(cause, 0) for cause in READS)}
    return NAMES[max(NAMES, key=lambda cause: shares[cause])]
