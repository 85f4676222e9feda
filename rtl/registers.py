"""The control port of the engine: the registers of compiler/registers.py behind AXI4-Lite."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from compiler.registers import ADDRESS_BITS, REGISTERS, Access, Register, identification
from rtl.axi4_lite import DATA_BITS, Axi4LiteSubordinate, axi4_lite_signature
from rtl.interfaces import Control, Error, counters_signature

COUNTER_PREFIX = "COUNT_"


class Registers(wiring.Component):
    """Register file: writes drive `control`, `control` and `counters` are read back, `irq` tells about ended programs.

    Offsets, fields and access rules are those of the table (docs/registers.md). What is remembered of an ended program
    is taken one cycle after `control.done`, when `control.error` is final.

    Latency: as `Axi4LiteSubordinate`; a pulse of CONTROL reaches `control` 1 cycle after the write.

    Members: `axi`; `control`, `counters` (rtl/interfaces.py); `irq`, a level.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "axi": In(axi4_lite_signature(ADDRESS_BITS)),
                "control": In(Control),
                "counters": In(counters_signature()),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.bus = self._bus = bus = Axi4LiteSubordinate(address_bits=ADDRESS_BITS)
        wiring.connect(m, wiring.flipped(self.axi), bus.axi)
        self._fixed = identification(self._config)
        self._busy = Signal()
        m.d.comb += self._busy.eq(self.control.busy | self.control.start)
        values, pulses = {}, {}
        for register in REGISTERS:
            values[register.name], pulses[register.name] = self._register(m, register)
        self._operate(m, values, pulses)
        self._decode(m, values)
        return m

    def _mask(self, register: Register) -> int:
        """Bits that are stored: of an address or size of memory as many as the engine's addresses have."""
        if register.name == "TIMEOUT" and self._config.without_timeout:
            return 0
        memory = register.name.startswith(("PROGRAM_", "IMAGE_", "DATA_"))
        return register.mask & ((1 << self._config.address_bits) - 1 if memory else ~0)

    def _register(self, m, register: Register):
        """(value as read, bits written with 1) of a register."""
        written = Signal(DATA_BITS, name=f"{register.name.lower()}_written")
        if register.access is Access.READ_ONLY:
            return self._read_only(register), Const(0, DATA_BITS)
        bus, mask = self._bus, Const(self._mask(register), DATA_BITS)
        selected = bus.write & (bus.write_address == register.offset // 4) & ~(self._busy & register.locked)
        bytes_written = Cat(*[strobe.replicate(8) for strobe in bus.write_strobe])
        m.d.comb += written.eq(selected.replicate(DATA_BITS) & bytes_written & bus.write_data & mask)
        if register.access is Access.PULSE:
            return Const(0, DATA_BITS), written
        bits = self._mask(register).bit_length()
        if not bits:
            return Const(0, DATA_BITS), written
        value = Signal(bits, name=f"{register.name.lower()}_value", init=register.reset)
        if register.access is Access.READ_WRITE:
            with m.If(selected):
                m.d.sync += value.eq((value & ~bytes_written) | written)
        return value, written

    def _read_only(self, register: Register):
        control = self.control
        if register.name in self._fixed:
            return Const(self._fixed[register.name], DATA_BITS)
        if register.name.startswith(COUNTER_PREFIX):
            if not self._config.counters and register.name != "COUNT_CYCLES":
                return Const(0, DATA_BITS)
            return getattr(self.counters, register.name.removeprefix(COUNTER_PREFIX).lower())
        if register.name != "STATUS":
            raise ValueError(f"register {register.name} of the table is not built")
        self._done = Signal()
        fields = {
            "busy": control.busy, "done": self._done, "error": control.error, "error_command": control.error_command,
        }
        parts, at = [], 0
        for field in sorted(register.fields, key=lambda one: one.low):
            parts += [Const(0, field.low - at), fields[field.name]]
            at = field.low + field.width
        return Cat(*parts)

    def _operate(self, m, values, pulses) -> None:
        """CONTROL, STATUS.done, the interrupt, and what the engine is told."""
        control, ended = self.control, Signal()
        for name in ("program_offset", "image_base", "image_size", "data_base", "data_size", "timeout"):
            m.d.comb += getattr(control, name).eq(values[name.upper()])
        m.d.sync += [
            control.start.eq(pulses["CONTROL"][0]),
            control.soft_reset.eq(pulses["CONTROL"][1]),
            ended.eq(control.done),
        ]
        with m.If(control.start & ~control.busy):
            m.d.sync += self._done.eq(0)
        with m.Elif(ended):
            m.d.sync += self._done.eq(1)
        happened, status = values["INTERRUPT_STATUS"], Cat(ended, ended & (control.error != Error.NONE))
        m.d.sync += happened.eq((happened & ~pulses["INTERRUPT_STATUS"]) | status)
        m.d.sync += self.irq.eq((happened & values["INTERRUPT_ENABLE"]).any())

    def _decode(self, m, values) -> None:
        """Read data and errors by address; an address without a register is an error both ways."""
        bus = self._bus
        with m.Switch(bus.read_address):
            for register in REGISTERS:
                with m.Case(register.offset // 4):
                    m.d.comb += bus.read_data.eq(values[register.name])
            with m.Default():
                m.d.comb += bus.read_error.eq(1)
        with m.Switch(bus.write_address):
            for register in REGISTERS:
                if register.access is not Access.READ_ONLY:
                    with m.Case(register.offset // 4):
                        m.d.comb += bus.write_error.eq(self._busy & register.locked)
            with m.Default():
                m.d.comb += bus.write_error.eq(1)
