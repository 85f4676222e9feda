"""The tests of `make sim`: each drives one bench through programs and compares everything they leave behind."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from golden.errors import WesnpuError
from sim.driver import SimulationError
from sim.job import manners
from sim.layers import random_network
from sim.session import Session, prepare_plain

PATTERNS = ("none", "random", "mixed", "alternating", "runs")


@dataclass(frozen=True)
class Orders:
    """What to run: the case, its seed, how many networks, and the stall pattern ("" draws one per network)."""

    case: str
    seed: int = 0
    count: int = 0
    stalls: str = ""


@dataclass(frozen=True)
class Case:
    """A test: one line about it, its coroutine, and how many networks it runs unless told."""

    about: str
    run: Callable[[Session, Orders], Awaitable[None]]
    count: int = 1


def plain(kind: str) -> Callable[[Session, Orders], Awaitable[None]]:
    """Random layers of a kind by plain programs."""

    async def run(session: Session, orders: Orders) -> None:
        for seed in range(orders.seed, orders.seed + (orders.count or 20)):
            network, image = random_network(kind, seed, session.config.guard_bits)
            name = orders.stalls or PATTERNS[seed % len(PATTERNS)]
            try:
                prepared = prepare_plain(network, image, session.config, manners(name, seed), seed)
            except WesnpuError as error:
                session.tally.notes.append(f"seed {seed}: {error}")
                continue
            try:
                await session.check(prepared)
            except SimulationError as error:
                raise SimulationError(f"{kind} seed {seed} stalls {name}: {error}") from None

    return run


CASES: dict[str, Case] = {
    f"plain_{kind}": Case(f"{kind} by plain programs", plain(kind), 20)
    for kind in ("conv_shift", "depthwise", "pointwise", "stem", "pooling", "fully_connected")
}
