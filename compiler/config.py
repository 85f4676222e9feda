"""EngineConfig: every width and size of one engine, validated once; compiler, rtl and sim all take this object."""

import re
from dataclasses import dataclass, fields

WORD_BYTES = 16  # one scratchpad word: 16 channels of one pixel, for every configuration
SEQUENTIAL_TAPS = 4  # taps of each weight row that a SEQUENTIAL command uses
#: Scratchpad banks per column parity by the largest kernel, so that the rows of a window can lie in different banks.
ROW_BANKS = {1: 1, 3: 4, 5: 8}
_MADE_OF = ("multiplier", "queue_memory")  # fields that do not change what an engine does


def _is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """One legal engine.

    pixels: adjacent output pixels that share each weight, 1, 2 or 4.
    lanes: output channels per cycle, 2, 4, 8 or 16.  taps: INT8 products summed per lane and cycle, 4, 8 or 16.
    requant_lanes: results requantized per cycle, a divisor of pixels * lanes.
    scratchpad_words: 16-byte words of activation memory, a power of two, 16 * pixels .. 65536.
    weight_rows: rows of lanes * taps bytes in the weight ring, a power of two, 16 .. 65536.
    parameter_rows: rows of `lanes` (bias, shift) pairs, a power of two, 4 .. 65536.
    window_kernel: largest kernel of the window unit, 3 or 5; 1: no window unit, so no WINDOW and GATHER commands and
    one scratchpad bank per pixel.  bus_bytes: AXI data width, 8 or 16 bytes.
    guard_bits: G of Eq. 3, 5 or 7.  queue_units: 16-byte command units buffered per unit, a power of two, 8 .. 256;
    0 (with window_kernel 1 and pixels 1): none; commands start strictly in program order, LOAD, WEIGHTS and STORE are
    one unit, and COMPUTE runs one command at a time.
    size_bits, address_bits: bits of sizes (rows, columns, strides, scratchpad addresses) and of byte addresses and
    strides that a command may use, 9 .. 16 and 16 .. 32; below 16 and 32 only without queues.
    counters: 1: all cycle counters; 0: only that of all cycles.
    without_timeout: 1: no time-out, a program waits for the memory for ever; only without queues.
    multiplier: "plain", one for each product; "packed18": one of 18 x 18 bits for the products of two pixels; "dual8":
    an SB_MAC16 of iCE40 UltraPlus for two products, only without queues.
    queue_memory: where the queues between program, memory and units lie: "distributed", in look-up tables (deep ones as
    synthesis likes), or "block", in block RAM.
    """

    name: str
    pixels: int
    lanes: int
    taps: int
    requant_lanes: int
    scratchpad_words: int
    weight_rows: int
    parameter_rows: int
    window_kernel: int = 5
    bus_bytes: int = 16
    guard_bits: int = 7
    queue_units: int = 32
    size_bits: int = 16
    address_bits: int = 32
    counters: int = 1
    without_timeout: int = 0
    multiplier: str = "plain"
    queue_memory: str = "distributed"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z0-9_ .-]+", self.name):
            raise ValueError(f"EngineConfig.name = {self.name!r} must be of letters, digits, spaces and _ . -")
        for name in (field.name for field in fields(self) if field.name not in ("name", *_MADE_OF)):
            if type(getattr(self, name)) is not int:
                raise ValueError(f"EngineConfig.{name} = {getattr(self, name)!r} must be an integer")
        legal: dict[str, tuple[int | str, ...]] = {
            "pixels": (1, 2, 4),
            "lanes": (2, 4, 8, 16),
            "taps": (4, 8, 16),
            "window_kernel": (1, 3, 5),
            "bus_bytes": (8, 16),
            "guard_bits": (5, 7),
            "size_bits": tuple(range(9, 17)) if self.in_order else (16,),
            "address_bits": tuple(range(16, 33)) if self.in_order else (32,),
            "counters": (0, 1),
            "without_timeout": (0, 1) if self.in_order else (0,),
            "queue_memory": ("distributed", "block"),
            "multiplier": ("plain", *(["packed18"] if self.pixels > 1 else []), *(["dual8"] if self.in_order else [])),
        }
        for name, allowed in legal.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"EngineConfig.{name} = {getattr(self, name)!r} must be one of {allowed}")
        sizes = {
            "scratchpad_words": (16 * self.pixels, 65536),
            "weight_rows": (16, 65536),
            "parameter_rows": (4, 65536),
            "queue_units": (8, 256),
        }
        for name, (low, high) in sizes.items():
            value = getattr(self, name)
            if name == "queue_units" and value == 0:
                continue
            if not _is_power_of_two(value) or not low <= value <= high:
                raise ValueError(f"EngineConfig.{name} = {value!r} must be a power of two in {low}..{high}")
        if self.in_order and (self.window_kernel > 1 or self.pixels > 1):
            raise ValueError(
                f"EngineConfig.queue_units = 0 goes with window_kernel = 1 and pixels = 1, "
                f"not {self.window_kernel} and {self.pixels}"
            )
        if self.scratchpad_words >= 1 << self.size_bits and self.size_bits < 16:
            raise ValueError(
                f"EngineConfig.scratchpad_words = {self.scratchpad_words} must be less than 2^size_bits = "
                f"{1 << self.size_bits}, so that a word beyond them has an address"
            )
        if self.requant_lanes < 1 or self.results % self.requant_lanes:
            raise ValueError(
                f"EngineConfig.requant_lanes = {self.requant_lanes} must divide pixels * lanes = {self.results}"
            )

    @property
    def results(self) -> int:
        """Accumulators of the array: pixels * lanes."""
        return self.pixels * self.lanes

    @property
    def macs_per_cycle(self) -> int:
        """Peak multiply-accumulates per cycle: pixels * lanes * taps."""
        return self.results * self.taps

    @property
    def banks(self) -> int:
        """Scratchpad banks: bank = word address mod (row_banks * pixels)."""
        return self.row_banks * self.pixels

    @property
    def row_banks(self) -> int:
        """Scratchpad banks of one column parity: consecutive words of it lie in consecutive banks."""
        return ROW_BANKS[self.window_kernel]

    @property
    def double_feeds(self) -> bool:
        """Whether a 3x3 WINDOW of stride 2 reads four columns a cycle: `pixels` words from each of six places."""
        return self.pixels == 2 and self.window_kernel == 5

    @property
    def row_ports(self) -> int:
        """Places that the array reads `pixels` adjacent words from in one cycle."""
        return 6 if self.double_feeds else self.window_kernel

    @property
    def write_sets(self) -> int:
        """Sets of banks of one column parity that a result and a loaded word can go to in the same cycle."""
        return min(self.row_banks, 2)

    @property
    def in_order(self) -> bool:
        """Whether commands start strictly in program order, without queues."""
        return self.queue_units == 0

    @property
    def port_bytes(self) -> int:
        """Bytes that each memory of an engine without queues reads or writes in a cycle: those of an operation."""
        return max(self.lanes, self.taps)

    @property
    def port_steps(self) -> int:
        """Cycles in which an engine without queues moves 16 bytes into such a memory or out of it."""
        return WORD_BYTES // self.port_bytes

    @property
    def gathers(self) -> bool:
        """Whether GATHER commands are legal: four lanes and a window."""
        return self.lanes >= 4 and self.window_kernel > 1

    @property
    def weight_row_bytes(self) -> int:
        """Bytes of one weight row: lanes * taps, lane-major."""
        return self.lanes * self.taps

    @property
    def parameter_row_bytes(self) -> int:
        """Bytes of one parameter row in external memory: `lanes` int32 biases, `lanes` 4-bit shifts, padded to 16."""
        return -(-(self.lanes * 4 + self.lanes // 2) // WORD_BYTES) * WORD_BYTES

    @property
    def window_columns(self) -> int:
        """Columns held by the window unit: whole feeds of `pixels` columns, or the kernel with one pixel."""
        return self.pixels * (1 - (1 - self.window_kernel) // self.pixels)

    def executes(self) -> dict[str, int | str]:
        """What decides which programs the engine executes and how it answers; not its name and what it is made of."""
        return {name: value for name, value in self.to_json().items() if name not in ("name", *_MADE_OF)}

    def to_json(self) -> dict[str, int | str]:
        """All fields as a JSON-able dictionary, for content hashes and reports."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def _kib(words: int) -> int:
    return words * 1024 // WORD_BYTES


PRESETS: dict[str, EngineConfig] = {
    config.name: config
    for config in (
        EngineConfig(
            name="nano",
            pixels=1,
            lanes=2,
            taps=4,
            requant_lanes=1,
            scratchpad_words=_kib(4),
            weight_rows=512,
            parameter_rows=256,
            window_kernel=1,
            bus_bytes=8,
            guard_bits=5,
            queue_units=0,
            size_bits=10,
            address_bits=24,
            counters=0,
        ),
        EngineConfig(
            name="small",
            pixels=1,
            lanes=8,
            taps=8,
            requant_lanes=8,
            scratchpad_words=_kib(64),
            weight_rows=512,
            parameter_rows=256,
            bus_bytes=8,
        ),
        EngineConfig(
            name="medium",
            pixels=1,
            lanes=8,
            taps=16,
            requant_lanes=8,
            scratchpad_words=_kib(128),
            weight_rows=512,
            parameter_rows=256,
            queue_memory="block",
        ),
        EngineConfig(
            name="large",
            pixels=2,
            lanes=8,
            taps=16,
            requant_lanes=16,
            scratchpad_words=_kib(256),
            weight_rows=2048,
            parameter_rows=512,
            queue_memory="block",
        ),
        EngineConfig(
            name="micro",
            pixels=1,
            lanes=2,
            taps=4,
            requant_lanes=1,
            scratchpad_words=_kib(32),
            weight_rows=1024,
            parameter_rows=256,
            window_kernel=3,
            bus_bytes=8,
            guard_bits=5,
            queue_units=8,
        ),
    )
}


def preset(name: str) -> EngineConfig:
    """The preset called `name`; ValueError names the presets otherwise."""
    if name not in PRESETS:
        raise ValueError(f"CONFIG = {name!r} is not a preset; presets are {', '.join(PRESETS)}")
    return PRESETS[name]
