"""The register table: what the control port holds. Hardware, documentation, C header and drivers come from it."""

from dataclasses import dataclass, field
from enum import Enum, IntEnum

from compiler.config import EngineConfig

MAGIC = int.from_bytes(b"WESN", "little")
VERSION_MAJOR, VERSION_MINOR = 1, 2
ADDRESS_BITS = 12  # the register file takes 4 KB


class Access(Enum):
    """What the bus may do with a register."""

    READ_ONLY = "read only"
    READ_WRITE = "read, write"
    PULSE = "write 1 to act, reads 0"
    CLEAR = "read, write 1 to clear"


@dataclass(frozen=True, kw_only=True)
class Field:
    """Bits [low, low + width) of a register; `values` names the codes of an enumeration."""

    name: str
    low: int
    width: int
    doc: str
    values: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.width < 1 or self.low < 0 or self.low + self.width > 32:
            raise ValueError(f"field {self.name}: bits {self.low}..{self.low + self.width - 1} must be in 0..31")

    @property
    def mask(self) -> int:
        """The field's bits, in place."""
        return ((1 << self.width) - 1) << self.low


@dataclass(frozen=True, kw_only=True)
class Register:
    """A 32-bit register at byte `offset`; bits outside its fields read 0 and ignore writes.

    `locked`: a write while the engine is busy is refused.
    """

    name: str
    offset: int
    access: Access
    doc: str
    fields: tuple[Field, ...]
    reset: int = 0
    locked: bool = False

    def __post_init__(self) -> None:
        if self.offset % 4 or not 0 <= self.offset < 1 << ADDRESS_BITS:
            raise ValueError(f"register {self.name}: offset {self.offset:#x} must be a multiple of 4 below 4096")
        used = 0
        for one in self.fields:
            if used & one.mask:
                raise ValueError(f"register {self.name}: field {one.name} overlaps another one")
            used |= one.mask

    @property
    def mask(self) -> int:
        """All bits that belong to a field."""
        return sum(one.mask for one in self.fields)


ERRORS = {
    0: "none",
    1: "a command names an unknown unit",
    2: "a command field is outside its range",
    3: "a scratchpad address lies beyond the memory",
    4: "an external address lies outside its region",
    5: "a read was answered with an error",
    6: "a write was answered with an error",
    7: "the memory stopped answering (TIMEOUT)",
    8: "soft reset while busy",
}

CAUSES = {
    "ACTIVE": "the array was given operands that count",
    "FILL": "the window unit was filled at the start of a row",
    "PROGRAM": "no COMPUTE command was there",
    "REQUANTIZER": "no room for a result, or waiting for own earlier results",
    "STORE": "waiting for STORE commands",
    "BUS": "waiting for weights or activations while no read data came",
    "WEIGHTS": "waiting for WEIGHTS commands",
    "ACTIVATIONS": "waiting for LOAD commands",
}


def _identification() -> list[Register]:
    def fixed(name: str, offset: int, doc: str, *fields: tuple[str, int, int, str]) -> Register:
        made = tuple(Field(name=n, low=low, width=width, doc=text) for n, low, width, text in fields)
        return Register(name=name, offset=offset, access=Access.READ_ONLY, doc=doc, fields=made)

    return [
        fixed("MAGIC", 0x00, 'Reads 0x4e534557, the bytes "WESN".', ("value", 0, 32, "0x4e534557")),
        fixed("VERSION", 0x04, "Version of this register file.", ("minor", 0, 16, "compatible additions"),
              ("major", 16, 16, "incompatible changes")),
        fixed("ARRAY", 0x08, "Shape of the array.", ("pixels", 0, 8, "adjacent output pixels"),
              ("lanes", 8, 8, "output channels per cycle"), ("taps", 16, 8, "products per lane and cycle"),
              ("requant_lanes", 24, 8, "results requantized per cycle")),
        fixed("UNITS", 0x0C, "Other widths.", ("window_kernel", 0, 8, "largest kernel of the window unit"),
              ("bus_bytes", 8, 8, "AXI data width in bytes"), ("guard_bits", 16, 8, "G of Eq. 3")),
        fixed("SCRATCHPAD_WORDS", 0x10, "Activation memory.", ("value", 0, 32, "16-byte words")),
        fixed("WEIGHT_ROWS", 0x14, "Weight memory.", ("value", 0, 32, "rows of lanes * taps bytes")),
        fixed("PARAMETER_ROWS", 0x18, "Parameter memory.", ("value", 0, 32, "rows of `lanes` bias/shift pairs")),
        fixed("QUEUE_UNITS", 0x1C, "Command queues.", ("value", 0, 32, "16-byte command units buffered per unit")),
    ]


def _operation() -> list[Register]:
    interrupts = (
        Field(name="done", low=0, width=1, doc="a program ended, with or without an error"),
        Field(name="error", low=1, width=1, doc="a program ended with an error"),
    )
    return [
        Register(
            name="CONTROL", offset=0x20, access=Access.PULSE, doc="Starts and stops programs.",
            fields=(
                Field(name="start", low=0, width=1, doc="run the program at PROGRAM_OFFSET; ignored while busy"),
                Field(name="soft_reset", low=1, width=1, doc="stop issuing, drain the bus, end with error 8"),
            ),
        ),
        Register(
            name="STATUS", offset=0x24, access=Access.READ_ONLY, doc="The program under way, or the last one.",
            fields=(
                Field(name="busy", low=0, width=1, doc="a program runs"),
                Field(name="done", low=1, width=1, doc="a program ended since the last start"),
                Field(name="error", low=8, width=4, doc="why it stopped; 0 until it has failed", values=ERRORS),
                Field(name="error_command", low=16, width=16,
                      doc="number of the command (0 = first) that failed, modulo 65536; 0 for errors 7 and 8"),
            ),
        ),
        Register(
            name="INTERRUPT_ENABLE", offset=0x28, access=Access.READ_WRITE,
            doc="The `irq` pin is high while an enabled bit of INTERRUPT_STATUS is set.", fields=interrupts,
        ),
        Register(
            name="INTERRUPT_STATUS", offset=0x2C, access=Access.CLEAR, doc="What happened; stays until cleared.",
            fields=interrupts,
        ),
    ]


def _regions() -> list[Register]:
    rows = (
        ("PROGRAM_OFFSET", 4, "Byte offset of the first command in the image region."),
        ("IMAGE_BASE", 6, "Byte address of the image region (program, weights, parameters), only read."),
        ("IMAGE_SIZE", 6, "Bytes of the image region."),
        ("DATA_BASE", 6, "Byte address of the data region (activations), read and written."),
        ("DATA_SIZE", 6, "Bytes of the data region."),
        ("TIMEOUT", 0, "Longest wait for the bus without any progress on it, in cycles; 0 waits for ever."),
    )
    registers = []
    for i, (name, low, doc) in enumerate(rows):
        text = f"upper bits of the number, which is a multiple of {1 << low}" if low else "the number"
        value = Field(name="value", low=low, width=32 - low, doc=text)
        access, offset = Access.READ_WRITE, 0x30 + 4 * i
        registers.append(Register(name=name, offset=offset, access=access, doc=doc, fields=(value,), locked=True))
    return registers


def _limits() -> list[Register]:
    fields = (
        Field(name="size_bits", low=0, width=8, doc="bits of sizes and scratchpad addresses that commands may use"),
        Field(name="address_bits", low=8, width=8, doc="bits of byte addresses; those above read 0 in 0x30 .. 0x40"),
        Field(name="counters", low=16, width=1, doc="1: all counters, 0: COUNT_CYCLES only, the others read 0"),
        Field(name="without_timeout", low=17, width=1, doc="1: no time-out: TIMEOUT reads 0 and is not used"),
        Field(name="double_feeds", low=18, width=1, doc="1: a 3x3 WINDOW of stride 2 reads four columns in a cycle"),
        Field(name="four_banks", low=19, width=1, doc="1: 4 scratchpad banks per pixel, 0: 8 (without windows 1)"),
    )
    doc = "What small engines leave out, and how the array reads: programs are made for one engine's LIMITS."
    return [Register(name="LIMITS", offset=0x48, access=Access.READ_ONLY, doc=doc, fields=fields)]


def _counters() -> list[Register]:
    docs = {
        "CYCLES": "Cycles since start; the sum of the eight causes.",
        "READ_BEATS": "16-byte beats read.",
        "WRITE_BEATS": "16-byte beats written.",
    } | {name: f"Cycles whose one cause was: {doc}." for name, doc in CAUSES.items()}
    return [
        Register(
            name=f"COUNT_{name}", offset=0x80 + 4 * i, access=Access.READ_ONLY, doc=doc,
            fields=(Field(name="value", low=0, width=32, doc="counts while busy, holds afterwards, cleared by start"),),
        )
        for i, (name, doc) in enumerate(docs.items())
    ]


REGISTERS: tuple[Register, ...] = tuple(_identification() + _operation() + _regions() + _limits() + _counters())

#: Byte offsets by register name.
Offset = IntEnum("Offset", {one.name: one.offset for one in REGISTERS})  # type: ignore[misc]


def register(name: str) -> Register:
    """The register called `name`; ValueError names the registers otherwise."""
    for one in REGISTERS:
        if one.name == name:
            return one
    raise ValueError(f"register {name!r} does not exist; registers are {', '.join(one.name for one in REGISTERS)}")


def unpack(name: str, word: int) -> dict[str, int]:
    """The fields of `word`, read from the register called `name`."""
    return {one.name: (word & one.mask) >> one.low for one in register(name).fields}


def pack(name: str, **values: int) -> int:
    """The word of the register called `name` with these fields, 0 elsewhere; ValueError names what does not fit."""
    fields = {one.name: one for one in register(name).fields}
    word = 0
    for key, value in values.items():
        if key not in fields:
            raise ValueError(f"register {name} has no field {key!r}; fields are {', '.join(fields)}")
        if not 0 <= value < 1 << fields[key].width:
            raise ValueError(f"{name}.{key} = {value!r} must be in 0..{(1 << fields[key].width) - 1}")
        word |= value << fields[key].low
    return word


def identification(config: EngineConfig) -> dict[str, int]:
    """What the identification registers of an engine hold, by register name."""
    return {
        "MAGIC": MAGIC,
        "VERSION": pack("VERSION", major=VERSION_MAJOR, minor=VERSION_MINOR),
        "ARRAY": pack(
            "ARRAY", pixels=config.pixels, lanes=config.lanes, taps=config.taps, requant_lanes=config.requant_lanes
        ),
        "UNITS": pack(
            "UNITS", window_kernel=config.window_kernel, bus_bytes=config.bus_bytes, guard_bits=config.guard_bits
        ),
        "SCRATCHPAD_WORDS": config.scratchpad_words,
        "WEIGHT_ROWS": config.weight_rows,
        "PARAMETER_ROWS": config.parameter_rows,
        "QUEUE_UNITS": config.queue_units,
        "LIMITS": pack(
            "LIMITS", size_bits=config.size_bits, address_bits=config.address_bits, counters=config.counters,
            without_timeout=config.without_timeout, double_feeds=config.double_feeds, four_banks=config.row_banks == 4,
        ),
    }
