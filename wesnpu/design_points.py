"""Points of the design space evaluated here, by processes of this machine or by a cluster."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from compiler.cycles import Memory
from compiler.design_space import Candidate, Point, explore
from golden.network import Network
from quant.evaluation.cluster import connected, map_batches

Tried = tuple[Candidate, Memory, bool]  # the last: whether layers may be fused
CODE = ("compiler.design_space",)  # what the workers of a cluster must hold as it is here


def points(
    network: Network,
    tried: Sequence[Tried],
    *,
    processes: int = 1,
    scheduler: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Point]:
    """The point of every candidate with its memory, in order, the same wherever they are evaluated.

    processes: of this machine. scheduler: address of a dask.distributed scheduler whose workers do it instead.
    progress is called with the number of points done. Errors are those of quant.evaluation.cluster.
    """
    found = []
    for point in _evaluated(network, tried, min(processes, len(tried)), scheduler):
        found.append(point)
        if progress is not None:
            progress(len(found))
    return found


def _evaluated(network: Network, tried: Sequence[Tried], processes: int, scheduler: str | None) -> Iterator[Point]:
    if scheduler is not None:
        with connected(scheduler, code=CODE) as client:
            yield from map_batches(client, explore, network, tried)
    elif processes > 1:
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            yield from pool.map(partial(explore, network), tried)
    else:
        yield from (explore(network, one) for one in tried)
