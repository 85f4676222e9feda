"""The tests of `make sim`: each drives one bench through programs and compares everything they leave behind."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from compiler.config import EngineConfig
from compiler.program import compile_network
from golden.errors import WesnpuError
from sim import failures, programs
from sim.compiled import prepare_compiled
from sim.driver import SimulationError
from sim.edges import edge_names, edge_network
from sim.expected import expected_of
from sim.job import manners
from sim.layers import KINDS, random_network
from sim.plain_program import plain_program
from sim.repeating import REPEATING, repeating
from sim.session import Prepared, Session, prepare_plain
from sim.split import split_programs
from sim.whole import whole_network

EDGE_NAMES = frozenset(edge_names())
PATTERNS = ("none", "random", "mixed", "alternating", "runs")


@dataclass(frozen=True)
class Orders:
    """What to run: the case, its first seed, how many networks (0: the case's own number), the stall pattern
    ("": by seed), and the seed of what registers and memories start with."""

    case: str
    seed: int = 0
    count: int = 0
    stalls: str = ""
    initial: int = 0


@dataclass(frozen=True)
class Case:
    """A test: one line about it, its coroutine, and how many networks it runs unless told."""

    about: str
    run: Callable[[Session, Orders], Awaitable[None]]
    count: int = 1


def prepared_network(session: Session, kind: str, seed: int, stalls: str = "") -> Prepared:
    """The network of this kind or edge shape: compiled; every fourth one-layer network by a plain program."""
    behaviour = manners(stalls or PATTERNS[seed % len(PATTERNS)], seed)
    if kind in REPEATING:
        made = repeating(kind, seed, session.config)
        return prepare_plain(made.network, made.image, session.config, behaviour, seed, made.program)
    if kind in EDGE_NAMES:
        network, image = edge_network(kind, seed, session.config)
    elif kind == "network":
        network, image = whole_network(seed, session.config.guard_bits)
    else:
        network, image = random_network(kind, seed, session.config.guard_bits)
    if seed % 4 == 3 and len(network.layers) == 1:
        try:
            program = plain_program(network, session.config)
            return prepare_plain(network, image, session.config, behaviour, seed, program)
        except WesnpuError:
            pass  # too large to lie on chip whole: the compiler tiles it
    compiled = compile_network(network, session.config, keep_all=seed % 2 == 1)
    return prepare_compiled(compiled, image, behaviour, seed)


def repeat_command(test: str, config: EngineConfig, seed: int, initial: int, stalls: str = "") -> str:
    """What a person types to run it again."""
    stall = f" STALLS={stalls}" if stalls else ""
    return f"make sim TEST={test} CONFIG={config.name} SEED={seed}{stall} INITIAL={initial}"


@contextmanager
def repeatable(session: Session, test: str, seed: int, stalls: str = "") -> Iterator[None]:
    """A SimulationError raised inside ends with the command that repeats it."""
    try:
        yield
    except SimulationError as error:
        repeat = repeat_command(test, session.config, seed, session.initial, stalls)
        raise SimulationError(f"{error}; repeat with: {repeat}") from None


async def check_network(session: Session, kind: str, seed: int, stalls: str = "") -> None:
    """Run one random network; a SimulationError ends with the command that repeats it."""
    test = "edges" if kind in EDGE_NAMES else "repeating" if kind in REPEATING else kind
    with repeatable(session, test, seed, stalls):
        await session.check(prepared_network(session, kind, seed, stalls))


def of_kind(kind: str) -> Callable[[Session, Orders], Awaitable[None]]:
    """Random networks of one kind."""

    async def run(session: Session, orders: Orders) -> None:
        for seed in range(orders.seed, orders.seed + (orders.count or CASES[kind].count)):
            await check_network(session, kind, seed, orders.stalls)

    return run


def kinds_by_seed(seed: int, count: int) -> Iterator[tuple[str, int]]:
    """`count` (kind, seed) pairs, the kinds in turn."""
    names = sorted(KINDS)
    return ((names[one % len(names)], one) for one in range(seed, seed + count))


async def broken(session: Session, orders: Orders) -> None:
    """A run that must fail: the expected values are those of weights that are all 0."""
    network, image = random_network("pointwise", orders.seed, session.config.guard_bits)
    other = replace(network, layers=(replace(network.layers[0], weight=0 * network.layers[0].weight),))
    prepared = prepare_compiled(compile_network(network, session.config), image, manners("none", 0), orders.seed)
    with repeatable(session, "broken", orders.seed, "none"):
        await session.check(replace(prepared, network=other, expected=expected_of(other, image)))


async def mixed(session: Session, orders: Orders) -> None:
    """Random networks of all kinds in turn."""
    for kind, seed in kinds_by_seed(orders.seed, orders.count or CASES["mixed"].count):
        await check_network(session, kind, seed, orders.stalls)


def edge_shapes(only: str) -> Callable[[Session, Orders], Awaitable[None]]:
    """Edge shapes whose names begin with `only`; each as often as `count` says."""

    async def run(session: Session, orders: Orders) -> None:
        for seed in range(orders.seed, orders.seed + (orders.count or 1)):
            for name in edge_names(only):
                await check_network(session, name, seed, orders.stalls)

    return run


async def large_numbers(session: Session, orders: Orders) -> None:
    """Layers that repeat, of every kind; each as often as `count` says."""
    for seed in range(orders.seed, orders.seed + (orders.count or 1)):
        for name in REPEATING:
            await check_network(session, name, seed, orders.stalls)


async def split(session: Session, orders: Orders) -> None:
    """Layers cut into tiles of rows and columns, and sums made in pieces."""
    programs_of = split_programs(orders.seed, orders.count or CASES["split"].count, session.config)
    for compiled, image, seed in programs_of:
        behaviour = manners(orders.stalls or PATTERNS[seed % len(PATTERNS)], seed)
        with repeatable(session, "split", seed, orders.stalls):
            await session.check(prepare_compiled(compiled, image, behaviour, seed))


async def stalls(session: Session, orders: Orders) -> None:
    """The same networks under every stall pattern."""
    for kind, seed in kinds_by_seed(orders.seed, orders.count or CASES["stalls"].count):
        for pattern in PATTERNS:
            await check_network(session, kind, seed, pattern)


CASES: dict[str, Case] = {
    "conv_shift": Case("dense convolutions with random shifts", of_kind("conv_shift"), 20),
    "depthwise": Case("depthwise convolutions, windows and sequential", of_kind("depthwise"), 20),
    "pointwise": Case("1x1 convolutions", of_kind("pointwise"), 20),
    "stem": Case("first layers of 1 to 4 channels", of_kind("stem"), 20),
    "residual": Case("fused residual additions", of_kind("residual"), 20),
    "pooling": Case("average and global average pooling", of_kind("pooling"), 20),
    "fully_connected": Case("fully connected layers", of_kind("fully_connected"), 20),
    "chain": Case("small whole networks", of_kind("chain"), 8),
    "network": Case("whole networks of 21 layers, as MobileNetV2", of_kind("network"), 2),
    "mixed": Case("every kind of network in turn", mixed, 40),
    "edges": Case("edge shapes by name: sizes 1, K > H, SAME padding, tiles, limits of every field", edge_shapes("")),
    "tiled": Case("layers larger than the scratchpad", edge_shapes("tiles")),
    "repeating": Case("layers far larger than the memories: every counter reaches its upper bits", large_numbers),
    "ties": Case("residual sums as close to a tie as they can be", edge_shapes("residual_ties")),
    "split": Case("layers in tiles of columns and sums made in pieces, in little memory", split, 24),
    "stalls": Case("the same networks under every stall pattern", stalls, 8),
    "programs": Case("programs one after the other without reset, empty, started while busy", programs.run, 20),
    "errors": Case("illegal commands, bus errors, silence, soft reset: code, command, no stray write", failures.errors),
    "broken": Case("a run that must fail", broken),
}
