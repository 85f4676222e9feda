"""The simulation tests that every mutant meets: (kind, seed) of sim.cases, and whole cases at the end."""

from sim.edges import EDGES, RESIDUAL_BLOCKS, RESIDUAL_ROW
from sim.layers import KINDS
from sim.repeating import REPEATING

FIRST = tuple(("chain", seed) for seed in range(2))
SEEDS = 5  # of every kind
LARGE = ("tall_column", "channels_250", "tiles_depthwise_stride", "tiles_dense", "tiles_of_5", "tiles_of_5_depthwise",
         "tallest")
MANY = (("residual", range(SEEDS, 16)), (RESIDUAL_ROW, range(8)), (RESIDUAL_BLOCKS, range(3, 16, 4)),
        ("residual_ties", range(2)))
LAST = (("chain", 2), *((name, 0) for name in REPEATING))
WHOLE_CASES = ("programs", "errors")


def networks() -> list[tuple[str, int]]:
    """Whole networks first, for they find most, then every kind and edge shape but the largest."""
    kinds = [(kind, seed) for seed in range(SEEDS) for kind in KINDS if kind != "chain"]
    edges = [(name, number % 20) for number, name in enumerate(EDGES) if name not in LARGE]
    many = [(name, seed) for name, seeds in MANY for seed in seeds]
    return [*FIRST, *kinds, *edges, *many, *LAST]
