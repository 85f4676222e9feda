"""A dask.distributed cluster, named by the address of its scheduler, that runs integer networks on batches of images.

Only integers are computed there, by the same code as here, so that what comes back is the same to the last bit on any
machine. Float work (calibration, learning, float scores) stays with the caller.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from golden.errors import WesnpuError
from quant.evaluation.sources import digest

TIMEOUT = 5.0  # seconds that a scheduler has to answer
EVALUATION = ("quant.evaluation.evaluate",)  # the module of what evaluates batches
WAITING = 2  # batches in flight for each thread of the cluster
Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def connected(address: str, timeout: float = TIMEOUT, *, code: Sequence[str] = EVALUATION) -> Iterator[Any]:
    """A client of the scheduler at `address`, closed at the end; `code` names the modules that workers must hold.

    WesnpuError where dask.distributed is not installed, nothing answers in time, no worker is there, or a worker holds
    other code than this process.
    """
    try:
        from distributed import Client
    except ImportError:
        raise WesnpuError("scheduler: dask[distributed] is missing: pip install 'wesnpu[cluster]'") from None
    try:
        client = Client(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WesnpuError(f"scheduler {address!r} does not answer within {timeout:g} s: {reason}") from error
    with client:
        _check_workers(client, address, code)
        yield client


def code_digest(code: Sequence[str] = EVALUATION) -> str:
    """What a worker's code must equal: the digest of the modules that run there."""
    return digest(code)


def _check_workers(client: Any, address: str, code: Sequence[str]) -> None:
    try:
        found = client.run(code_digest, code)
    except Exception as error:  # dask hands on what a worker raised, or only its text as an Exception
        raise WesnpuError(f"scheduler {address!r}: a worker lacks this program: {error}") from error
    if not found:
        raise WesnpuError(f"scheduler {address!r} has no worker")
    own = code_digest(code)
    strange = [worker for worker, theirs in found.items() if theirs != own]
    if strange:
        raise WesnpuError(f"scheduler {address!r}: worker {strange[0]} has other code than this process")


def map_batches(
    client: Any, function: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
) -> Iterator[Result]:
    """function(shared, item) of every item, in order; `shared` is sent once, few items are in flight at a time.

    WesnpuError when the cluster loses its workers.
    """
    from distributed import CancelledError, KilledWorker

    remote = client.scatter(shared, broadcast=True, hash=False)
    limit = max(2, WAITING * sum(client.nthreads().values()))
    pending: deque[Any] = deque()
    try:
        for item in items:
            pending.append(client.submit(function, remote, item, pure=False))
            if len(pending) >= limit:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except (CancelledError, KilledWorker, OSError) as error:
        raise WesnpuError(f"the cluster at {client.scheduler.address} failed: {error}") from error
