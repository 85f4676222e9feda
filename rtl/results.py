"""From accumulators to scratchpad: credits, result FIFO, residual operands, requantizer lanes, result writes."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from compiler.encoding import Unit
from compiler.pipeline import RESULT_PLACES
from rtl import command as cmd
from rtl.array import ACC_BITS
from rtl.delay import delay_line, delayed
from rtl.interfaces import LayerConstants
from rtl.microop import CONTEXTS, further_pixels, result_tag
from rtl.queue import Queue
from rtl.requantizer import RequantizerLane
from rtl.result_fifo import CreditFifo
from rtl.rows import COMMAND_BITS
from rtl.scratchpad import ResidualRead, Scratchpad, parts_layout, results_layout
from rtl.weights import SHIFT_BITS


class Results(wiring.Component):
    """Everything behind the array.

    A result may be issued while `room`; `takes_room` takes one place, and the result arrives later in `push` with
    its accumulators and shifts (rtl.result_fifo.CreditFifo, which cannot overflow). Residual operands are fetched when
    the result is issued (`residual_address`). The result of a partial command comes this way too, so that the command
    finishes in order, and is dropped instead of written.

    Members: `starts_command` + `command` + `context`: constants of the next context; `context_free`;
    `result`, `result_valid`: to the scratchpad; `finished`: pulse per command; `overflow`: a result's address is
    outside the scratchpad, a cycle before it would be written;
    `layer`, `stages` (with trace): of the result being written.
    """

    def __init__(self, config: EngineConfig, *, trace: bool):
        self._config = config
        self._trace = trace
        lanes, pixels, guard = config.lanes, config.pixels, config.guard_bits

        def results(bits):
            return data.ArrayLayout(data.ArrayLayout(bits, lanes), pixels)

        members = {
            "room": Out(1),
            "takes_room": In(1),
            "wants_residual": In(1),
            "residual_address": In(16),
            "residual_sub": In(3),
            "starts_command": In(1),
            "command": In(COMMAND_BITS),
            "context": In(range(CONTEXTS)),
            "context_free": Out(1, init=1),
            "push": In(1),
            "acc": In(results(signed(ACC_BITS))),
            "shift": In(data.ArrayLayout(SHIFT_BITS, lanes)),
            "tag": In(result_tag(config)),
            "residual": Out(stream.Signature(ResidualRead)),
            "residual_part": In(parts_layout(config)),
            "result": Out(results_layout(config)),
            "result_valid": Out(1),
            "finished": Out(1),
            "overflow": Out(1),
            "overflow_context": Out(range(CONTEXTS)),
        }
        if trace:
            members |= {
                "layer": Out(16),
                "trace_acc": Out(results(ACC_BITS)),
                "trace_shifted": Out(results(guard + 11)),
                "trace_product": Out(results(guard + 27)),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        self._entry = data.StructLayout(
            {
                "acc": self.acc.shape(),
                "shift": self.shift.shape(),
                "tag": self.tag.shape(),
            }
        )
        m.submodules.fifo = results = CreditFifo(
            width=self._entry.size, depth=RESULT_PLACES, memory=self._config.queue_memory
        )
        m.d.comb += [
            self.room.eq(results.credit_available),
            results.take.eq(self.takes_room),
            results.push_data.eq(Cat(self.acc.as_value(), self.shift.as_value(), self.tag.as_value())),
            results.push.eq(self.push),
        ]
        commands = self._constants(m)
        self._requantize(m, results.o, self._residual_operands(m), commands)
        return m

    def _constants(self, m):
        """Layer constants of the commands under way, by context; a context is free again when its command finished."""
        constants = [Signal(LayerConstants, name=f"constants_{i}", reset_less=True) for i in range(CONTEXTS)]
        layers = [Signal(16, name=f"layer_{i}", reset_less=True) for i in range(CONTEXTS)]
        planned = cmd.fields(Unit.COMPUTE, self.command)
        following = (self.context + 1)[: (CONTEXTS - 1).bit_length()]
        for i in range(CONTEXTS):
            with m.If(self.starts_command & (following == i)):
                m.d.sync += [
                    constants[i][name].eq(getattr(planned, name)) for name in LayerConstants.as_shape().members
                ]
                m.d.sync += layers[i].eq(planned.layer)
        started = Signal(range(CONTEXTS + 1))
        following_started = started + self.starts_command - self.finished
        m.d.sync += [started.eq(following_started), self.context_free.eq(following_started != CONTEXTS)]
        return constants, layers

    def _residual_operands(self, m):
        """Fetches the residual operands of issued results in order; returns (operands[pixel][lane], valid, take)."""
        config = self._config
        places = {"depth": RESULT_PLACES, "memory": config.queue_memory}
        m.submodules.residual_requests = requests = Queue(width=ResidualRead.as_shape().size, **places)
        m.submodules.residual_operands = operands = Queue(width=config.results * 8, **places)
        request = Signal(ResidualRead, reset_less=True)
        asked = Signal()  # for an operand that is read in the next cycle in which the scratchpad is ready
        m.d.comb += [
            requests.w_data.eq(Cat(self.residual_address, self.residual_sub)),
            requests.w_en.eq(self.takes_room & self.wants_residual),
            requests.r_en.eq(~self.residual.valid | self.residual.ready),
            self.residual.payload.eq(request),
        ]
        with m.If(requests.r_en):
            m.d.sync += [request.as_value().eq(requests.r_data), self.residual.valid.eq(requests.r_rdy)]
        with m.If(self.residual.ready):
            m.d.sync += asked.eq(self.residual.valid)
        arrives = delayed(m, asked & self.residual.ready, Scratchpad.answer_latency, name="arrives")
        take = Signal()
        m.d.comb += [
            operands.w_data.eq(self.residual_part.as_value()),
            operands.w_en.eq(arrives),
            operands.r_en.eq(take),
        ]
        return operands.r_data, operands.r_rdy, take

    def _enter(self, m, results, operands, commands, leaves):
        """The next result into registers as the one there leaves: whether one is there, entry, operand, constants.

        operands: (operand, valid, take).  commands: (constants, layers) by context; results come in the order of their
        commands, so the one that ends a command tells whose the next is.
        """
        operand, operand_valid, operand_take = operands
        there, enters, head = Signal(name="there"), Signal(name="enters"), Signal(range(CONTEXTS), init=1, name="head")
        following = Signal.like(head, name="following_head")
        uses_operand = Signal(name="uses_operand")  # the next result
        coming = data.View(self._entry, results.payload)
        constants, layer = (Array(Value.cast(one) for one in each)[head] for each in commands)
        current = data.View(LayerConstants, constants)
        residual = Array(data.View(LayerConstants, one).residual for one in commands[0])
        ends = enters & coming.tag.command_last
        m.d.sync += uses_operand.eq(Mux(ends, residual[following], residual[head]))
        with m.If(ends):
            m.d.sync += head.eq(following)
        m.d.comb += [
            following.eq(head + 1),
            enters.eq(results.valid & (operand_valid | ~uses_operand) & (~there | leaves)),
            results.ready.eq(enters),
            operand_take.eq(enters & uses_operand),
        ]
        values = {"entry": coming, "operand": operand, "constants": current, "layer": layer}
        held = [Signal.like(value, name=f"entered_{name}", reset_less=True) for name, value in values.items()]
        m.d.sync += there.eq(enters | (there & ~leaves))
        with m.If(enters):
            m.d.sync += [one.eq(value) for one, value in zip(held, values.values(), strict=True)]
        return there, *held

    def _requantize(self, m, results, operands, commands) -> None:
        """`results / requant_lanes` cycles per result, then one write."""
        config = self._config
        phases = config.results // config.requant_lanes
        phase, final = Signal(range(max(phases, 2))), Signal()
        there, entry, operand, current, layer = self._enter(m, results, operands, commands, final)
        m.d.comb += final.eq(there & (phase == phases - 1))
        if phases > 1:
            with m.If(there):
                m.d.sync += phase.eq(Mux(final, 0, phase + 1))

        acc = (
            Cat(entry.acc.as_value()).word_select(phase, ACC_BITS * config.requant_lanes)
            if phases > 1
            else (entry.acc.as_value())
        )
        operands = operand.word_select(phase, 8 * config.requant_lanes) if phases > 1 else operand
        shifts = Cat(*[entry.shift.as_value()] * config.pixels)
        shifts = shifts.word_select(phase, SHIFT_BITS * config.requant_lanes) if phases > 1 else shifts
        lanes = []
        for r in range(config.requant_lanes):
            lane = RequantizerLane(guard_bits=config.guard_bits)
            m.submodules[f"lane_{r}"] = lane
            lanes.append(lane)
            m.d.comb += [
                lane.acc.eq(acc.word_select(r, ACC_BITS)),
                lane.shift.eq(shifts.word_select(r, SHIFT_BITS)),
                lane.residual.eq(operands.word_select(r, 8)),
                lane.constants.eq(current),
            ]
        self._write(m, lanes, acc, layer, entry, final, phases)

    def _write(self, m, lanes, acc, layer, entry, final, phases) -> None:
        latency = lanes[0].latency

        def beside(value, name):
            return delayed(m, value, latency, name=name)

        def collected(parts, name):
            """The parts of all phases, which follow each other without a gap, complete in the final one."""
            now = Cat(*parts)
            earlier = now[:0]
            if phases > 1:
                held = Signal(len(now) * (phases - 1), name=f"{name}_held", reset_less=True)
                m.d.sync += held.eq(Cat(held, now)[len(now) :])
                earlier = held
            return Cat(earlier, now)

        valid = delay_line(m, final, latency, name="write_valid")[latency - 1 :]
        bits = delay_line(m, entry.tag.as_value(), latency, name="write_tag", reset_less=True)[latency - 1 :]
        before, tag = (data.View(entry.tag.shape(), each) for each in bits)
        counts = valid[0] & ~before.partial
        in_range = before.address + further_pixels(before.pixel_valid) < self._config.scratchpad_words
        m.d.sync += [
            self.result_valid.eq(counts & in_range),
            self.finished.eq(valid[0] & before.command_last),
        ]
        m.d.comb += [
            self.result.address.eq(tag.address),
            self.result.sub.eq(tag.sub),
            self.result.pixel_valid.eq(tag.pixel_valid),
            self.result.data.as_value().eq(collected([lane.output for lane in lanes], "output")),
            self.overflow.eq(counts & ~in_range),
            self.overflow_context.eq(before.context),
        ]
        if self._trace:
            m.d.comb += [
                self.layer.eq(beside(layer, "trace_layer")),
                self.trace_acc.as_value().eq(collected([beside(acc, "trace_acc")], "acc")),
                self.trace_shifted.as_value().eq(collected([lane.shifted for lane in lanes], "shifted")),
                self.trace_product.as_value().eq(collected([lane.product for lane in lanes], "product")),
            ]
