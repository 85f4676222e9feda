"""From accumulators to scratchpad without a queue, for engines without queues: requantizer lanes, result writes."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from compiler.encoding import Unit, length_units
from rtl import command as cmd
from rtl.array import ACC_BITS
from rtl.bank import UNORDERED
from rtl.delay import delayed
from rtl.interfaces import BEAT_BITS, LayerConstants
from rtl.requantizer import RequantizerLane
from rtl.scratchpad import results_layout
from rtl.weights import SHIFT_BITS

PLACES = 32  # more than results can be under way


def place_layout(config: EngineConfig) -> data.StructLayout:
    """Where a result goes: word address, lane group within the word; whether it is the command's last."""
    return data.StructLayout({"address": config.size_bits, "sub": 3, "command_last": 1})


class InOrderResults(wiring.Component):
    """Requantizes every result where it lies, in the accumulators, in `phases` cycles, and writes it.

    Members: `issued` with `place`: a result will come, which goes there; `push`: its accumulators are in `acc`, where
    they stay for `phases` cycles, its `shift` and the residual `operand` for this one; `command`: stays until
    `finished`, the pulse with its last result; `result`, `result_valid`: to the scratchpad; `overflow`: a result's
    address is outside it; with trace, of the result being written: `trace_acc`, `trace_shifted`, `trace_product`.
    The result of a `partial` command is not written. Places are kept in a memory, not beside the pipeline.
    Latency: phases + latency of the lane - 1 cycles from `push` to the write.
    """

    def __init__(self, config: EngineConfig, *, trace: bool):
        self._config, self._trace = config, trace
        lanes, guard = config.lanes, config.guard_bits
        self.phases = lanes // config.requant_lanes
        members = {
            "issued": In(1),
            "place": In(place_layout(config)),
            "push": In(1),
            "acc": In(data.ArrayLayout(signed(ACC_BITS), lanes)),
            "shift": In(data.ArrayLayout(SHIFT_BITS, lanes)),
            "operand": In(lanes * 8),
            "command": In(length_units(Unit.COMPUTE) * BEAT_BITS),
            "result": Out(results_layout(config)),
            "result_valid": Out(1),
            "finished": Out(1),
            "overflow": Out(1),
        }
        if trace:
            for name, bits in (("acc", ACC_BITS), ("shifted", guard + 11), ("product", guard + 27)):
                members[f"trace_{name}"] = Out(data.ArrayLayout(bits * lanes, 1))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        self._command = cmd.fields(Unit.COMPUTE, self.command, self._config)
        phase, final = self._phases(m)
        lanes, acc = self._lanes(m, phase)
        written = delayed(m, final, lanes[0].latency, name="written")
        self._write(m, written, self._place(m, written), self._collected(m, [one.output for one in lanes], "output"))
        if self._trace:
            parts = {
                "acc": [delayed(m, acc, lanes[0].latency, name="trace_acc")],
                "shifted": [lane.shifted for lane in lanes],
                "product": [lane.product for lane in lanes],
            }
            for name, values in parts.items():
                m.d.comb += getattr(self, f"trace_{name}").as_value().eq(self._collected(m, values, name))
        return m

    def _phases(self, m):
        """(which lanes' turn it is, whether it is the last of a result)."""
        phase, go = Signal(range(max(self.phases, 2))), Signal()
        m.d.comb += go.eq(self.push | (phase != 0))
        final = go & (phase == self.phases - 1)
        with m.If(go):
            m.d.sync += phase.eq(Mux(final, 0, phase + 1))
        return phase, final

    def _kept(self, m, value, name: str):
        """`value` of the cycle of `push`, in that cycle and in the phases after it."""
        if self.phases == 1:
            return value
        register = Signal(len(value), name=f"{name}_kept", reset_less=True)
        with m.If(self.push):
            m.d.sync += register.eq(value)
        return Mux(self.push, value, register)

    def _lanes(self, m, phase):
        """The requantizer lanes, and the accumulators that they are at."""
        config, count, constants = self._config, self._config.requant_lanes, Signal(LayerConstants)
        m.d.comb += [constants[name].eq(getattr(self._command, name)) for name in LayerConstants.as_shape().members]

        def now(value, bits):
            return value.word_select(phase, bits * count) if self.phases > 1 else value

        acc = now(self.acc.as_value(), ACC_BITS)
        shifts = now(self._kept(m, self.shift.as_value(), "shift"), SHIFT_BITS)
        operands = now(self._kept(m, self.operand, "operand"), 8)
        lanes = []
        for r in range(count):
            lane = RequantizerLane(guard_bits=config.guard_bits, steady=True)
            m.submodules[f"lane_{r}"] = lane
            lanes.append(lane)
            m.d.comb += [
                lane.acc.eq(acc.word_select(r, ACC_BITS)), lane.shift.eq(shifts.word_select(r, SHIFT_BITS)),
                lane.residual.eq(operands.word_select(r, 8)), lane.constants.eq(constants),
            ]
        return lanes, acc

    def _place(self, m, written):
        """Places go round in a memory: written when a result is issued, read for the next one to be written."""
        layout = place_layout(self._config)
        m.submodules.places = places = Memory(shape=layout.size, depth=PLACES, init=[], attrs=UNORDERED)
        put, take = places.write_port(), places.read_port()
        newest, oldest = Signal(range(PLACES)), Signal(range(PLACES))
        m.d.sync += [newest.eq(newest + self.issued), oldest.eq(oldest + written)]
        m.d.comb += [
            put.addr.eq(newest), put.data.eq(self.place.as_value()), put.en.eq(self.issued),
            take.addr.eq(oldest), take.en.eq(1),
        ]
        return data.View(layout, take.data)

    def _collected(self, m, parts, name: str):
        """The parts of all phases, which follow each other without a gap, complete in the final one."""
        now = Cat(*parts)
        if self.phases == 1:
            return now
        held = Signal(len(now) * (self.phases - 1), name=f"{name}_held", reset_less=True)
        m.d.sync += held.eq(Cat(held, now)[len(now) :])
        return Cat(held, now)

    def _write(self, m, written, place, values) -> None:
        in_range = Signal()
        m.d.comb += [
            in_range.eq(place.address < self._config.scratchpad_words),
            self.result.address.eq(place.address),
            self.result.sub.eq(place.sub),
            self.result.pixel_valid.eq(1),
            self.result.data.as_value().eq(values),
            self.result_valid.eq(written & ~self._command.partial & in_range),
            self.overflow.eq(written & ~self._command.partial & ~in_range),
            self.finished.eq(written & place.command_last),
        ]
