"""Commands in hardware: field views cut from the encoding table, and the queue that assembles whole commands."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from compiler.encoding import ADDRESSES, FIELDS, Field, Unit, length_units, used_range
from rtl.interfaces import BEAT_BITS
from rtl.queue import Queue

NUMBER_BITS = 16  # commands are numbered from 0 in program order; the number is reported with an error


class CommandUnit(data.Struct):
    """Sixteen bytes of a command and the number of the command they belong to."""

    data: unsigned(BEAT_BITS)
    number: unsigned(NUMBER_BITS)


def fields(unit: Unit, bits, config: EngineConfig | None = None) -> SimpleNamespace:
    """Views of every field of a `unit` command in the value `bits`, by name; with `config` as wide as it uses them."""
    views = {}
    for field in FIELDS[unit]:
        start = field.word * 32 + field.low
        view = bits[start : start + (used_width(field, config) if config else field.width)]
        views[field.name] = view.as_signed() if field.signed else view
    return SimpleNamespace(**views)


def used_width(field: Field, config: EngineConfig) -> int:
    """Bits of a field that an engine looks at."""
    low, high = used_range(field, size_bits=config.size_bits, address_bits=config.address_bits)
    return (high - low).bit_length()


def too_large(unit: Unit, index: int, beat, config: EngineConfig) -> SimpleNamespace:
    """`size`, `address`: whether unit `index` of a command has a size or an address beyond what the engine uses."""
    found: dict[str, list] = {"size": [], "address": []}
    for field in FIELDS[unit]:
        start, used = field.word * 32 + field.low - index * BEAT_BITS, used_width(field, config)
        if not 0 <= start < BEAT_BITS or used == field.width:
            continue
        above = beat[start + used - field.signed : start + field.width]
        wrong = above.any() & ~above.all() if field.signed else above.any()
        if field.name in ADDRESSES:
            wrong = wrong & (beat[start : start + 4] == 0)  # else it is illegal, which comes first
        found["address" if field.name in ADDRESSES else "size"].append(wrong)
    return SimpleNamespace(**{name: Cat(*wrong).any() for name, wrong in found.items()})


def waits_met(command: SimpleNamespace, finished) -> SimpleNamespace:
    """One condition per unit: it has finished as many commands as the command asks for."""
    return SimpleNamespace(
        load=finished[Unit.LOAD] >= command.wait_load,
        weights=finished[Unit.WEIGHTS] >= command.wait_weights,
        compute=finished[Unit.COMPUTE] >= command.wait_compute,
        store=finished[Unit.STORE] >= command.wait_store,
    )


def members(unit: Unit) -> dict:
    """How every unit takes its commands.

    `command`: all words, the same from the cycle before `command_valid` until it is consumed; `command_valid`;
    `command_ready`: the command is consumed; `may_start`: its waits are met.
    """
    return {
        "command": In(length_units(unit) * BEAT_BITS),
        "command_valid": In(1),
        "command_ready": Out(1),
        "may_start": In(1),
    }


class CommandQueue(wiring.Component):
    """Buffers `depth` units and assembles them into whole commands of one unit.

    Members: `i` stream of CommandUnit; `command` (all words), `number`, `valid`; `ready` consumes the command. The
    words are whole a cycle before `valid`, so what is registered of them belongs to this command.
    Latency: length_units(unit) + 3 cycles from the first unit; a new command every length_units(unit) + 2 cycles.
    """

    def __init__(self, *, unit: Unit, depth: int, memory: str = "distributed"):
        self._memory = memory
        self._units = length_units(unit)
        self._depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(CommandUnit)),
                "command": Out(self._units * BEAT_BITS),
                "number": Out(NUMBER_BITS),
                "valid": Out(1),
                "ready": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = Queue(
            width=BEAT_BITS + NUMBER_BITS, depth=self._depth, memory=self._memory
        )
        m.d.comb += [
            buffer.w_data.eq(self.i.payload.as_value()),
            buffer.w_en.eq(self.i.valid),
            self.i.ready.eq(buffer.w_rdy),
        ]
        missing = Signal(range(self._units + 1), init=self._units)
        unit = CommandUnit(buffer.r_data)
        words, number = Signal.like(self.command, reset_less=True), Signal.like(self.number, reset_less=True)
        m.d.comb += [buffer.r_en.eq(missing != 0), self.command.eq(words), self.number.eq(number)]
        with m.If(buffer.r_en & buffer.r_rdy):  # never while `valid`: what consumes a command does not decide here
            m.d.sync += [
                words.eq(Cat(words[BEAT_BITS:], unit.data)),
                number.eq(unit.number),
                missing.eq(missing - 1),
            ]
        with m.If(self.valid & self.ready):
            m.d.sync += [self.valid.eq(0), missing.eq(self._units)]
        with m.Elif(missing == 0):
            m.d.sync += self.valid.eq(1)
        return m
