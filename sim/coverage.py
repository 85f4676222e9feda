"""Which tensors a run has written whole: every position of every output, by the network's own shapes."""

from collections.abc import Iterable

import numpy as np

from golden.network import Network
from sim.trace import ComputeWrites


def uncovered(network: Network, parts: Iterable[ComputeWrites], written: int, lanes: int) -> dict[str, int]:
    """Positions of each layer's output that the first `written` pixels of `parts` leave out; layers with none left out
    are not in it.

    A pixel is `lanes` adjacent channels of one position. Channels beyond the tensor's do not count.
    """
    missing = {
        index: np.ones((-(-layer.channels // lanes), _positions(network, layer.output)), bool)
        for index, layer in enumerate(network.layers)
    }
    for part in parts:
        count = min(part.count, written)
        written -= count
        groups, rest = divmod(count, part.rows * part.width)
        first, left = part.channel // lanes, missing[part.layer]
        positions = part.positions
        left[first : first + groups, positions] = False
        left[first + groups : first + groups + 1, positions[:rest]] = False
    return {
        network.layers[index].name: int(_channels(network.layers[index].channels, lanes) @ left.sum(axis=1))
        for index, left in missing.items()
        if left.any()
    }


def _positions(network: Network, tensor: str) -> int:
    return network.tensors[tensor].height * network.tensors[tensor].width


def _channels(channels: int, lanes: int) -> np.ndarray:
    """Channels of the tensor in each lane group."""
    return np.minimum(lanes, channels - lanes * np.arange(-(-channels // lanes)))
