"""The simulation tests that every mutant meets: (kind, seed) of sim.cases, and whole cases at the end."""

from sim.edges import EDGES
from sim.layers import KINDS

FIRST = tuple(("chain", seed) for seed in range(2))
SEEDS = 5  # of every kind
LARGE = ("tall_column", "wide_row", "channels_250", "tiles_depthwise_stride", "tiles_dense", "tallest")
LAST = (*(("residual", seed) for seed in range(SEEDS, 16)), ("chain", 2), ("tallest", 0), ("wide_row", 0))
WHOLE_CASES = ("programs", "errors")


def networks() -> list[tuple[str, int]]:
    """Whole networks first, for they find most, then every kind and edge shape but the largest."""
    kinds = [(kind, seed) for seed in range(SEEDS) for kind in KINDS if kind != "chain"]
    edges = [(name, number % 20) for number, name in enumerate(EDGES) if name not in LARGE]
    return [*FIRST, *kinds, *edges, *LAST]
