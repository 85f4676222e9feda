"""The engine core: four units, their memories, the program fetcher, control, errors and counters."""

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from compiler.config import EngineConfig
from compiler.encoding import Unit, length_units
from rtl.command import CommandQueue, fields, waits_met
from rtl.compute import Compute
from rtl.fetch import EXECUTING_UNITS, Fetch
from rtl.interfaces import Cause, Control, Error, Memory, counters_signature, trace_signature
from rtl.load import Load
from rtl.read_arbiter import ReadArbiter
from rtl.scratchpad import Scratchpad
from rtl.store import Store
from rtl.weights import ParameterMemory, WeightMemory, Weights


class Engine(wiring.Component):
    """Runs programs (docs/engine.md) from a memory-side port.

    Members: `memory`, `control`, `counters`, with trace also `trace` (rtl/interfaces.py). Between `start` and `done`
    the engine owns its two external regions. After an error or soft reset it issues nothing more, drains the bus,
    forgets everything under way and reports; the next start begins afresh.
    """

    def __init__(self, config: EngineConfig, *, trace: bool = False):
        self.config = config
        self._trace = trace
        members = {"memory": Out(Memory), "control": Out(Control), "counters": Out(counters_signature())}
        if trace:
            members["trace"] = Out(
                trace_signature(pixels=config.pixels, lanes=config.lanes, guard_bits=config.guard_bits)
            )
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        config = self.config
        self._clear = clear = Signal()  # forget everything under way

        def unit(component):
            return ResetInserter(clear)(component)

        fetch, arbiter = Fetch(), ReadArbiter()
        load, weights = Load(scratchpad_words=config.scratchpad_words), Weights(config)
        compute, store = Compute(config, trace=self._trace), Store(scratchpad_words=config.scratchpad_words)
        m.submodules.fetch, m.submodules.arbiter = unit(fetch), unit(arbiter)
        m.submodules.load, m.submodules.weights = unit(load), unit(weights)
        m.submodules.compute, m.submodules.store = unit(compute), unit(store)
        m.submodules.scratchpad = scratchpad = Scratchpad(config)
        units = dict(zip(EXECUTING_UNITS, (load, weights, compute, store), strict=True))

        finished = self._finished_counts(m, units)
        self._queues(m, fetch, units, finished)
        self._connect_scratchpad(m, scratchpad, load, compute, store)
        self._connect_weight_memories(m, weights, compute)
        self._connect_memory(m, fetch, arbiter, load, weights, store)
        state = self._control(m, fetch, arbiter, load, weights, compute, store)
        self._counters(m, compute, state)
        if self._trace:
            self._connect_trace(m, compute, state)
        return m

    def _finished_counts(self, m, units) -> list:
        """How many commands each unit has finished since the start of the program."""
        counts = [Signal(16, name=f"finished_{unit.name.lower()}") for unit in EXECUTING_UNITS]
        for unit, component in units.items():
            with m.If(self._clear):
                m.d.sync += counts[unit].eq(0)
            with m.Else():
                m.d.sync += counts[unit].eq(counts[unit] + component.finished)
        return counts

    def _queues(self, m, fetch, units, finished) -> None:
        """From the fetcher through a queue to each unit; a command may start when its waits are met."""
        for unit, component in units.items():
            name = unit.name.lower()
            queue = CommandQueue(unit=unit, depth=max(self.config.queue_units, length_units(unit)))
            m.submodules[f"queue_{name}"] = ResetInserter(self._clear)(queue)
            wiring.connect(m, getattr(fetch, f"queue_{name}"), queue.i)
            met = waits_met(fields(unit, queue.command), finished)
            m.d.comb += [
                getattr(fetch, f"finished_{name}").eq(finished[unit]),
                component.command.eq(queue.command),
                component.number.eq(queue.number),
                component.command_valid.eq(queue.valid),
                queue.ready.eq(component.command_ready),
                component.may_start.eq(met.load & met.weights & met.compute & met.store),
            ]
            if unit == Unit.COMPUTE:
                self._blocked_cause(m, component, met)

    def _blocked_cause(self, m, compute, met) -> None:
        """Why a COMPUTE command waits, by the priority of rtl.interfaces.Cause."""
        reading = self.memory.read_data.valid & self.memory.read_data.ready
        with m.If(~met.compute):
            m.d.comb += compute.blocked_cause.eq(Cause.REQUANTIZER)
        with m.Elif(~met.store):
            m.d.comb += compute.blocked_cause.eq(Cause.STORE)
        with m.Elif(~reading):
            m.d.comb += compute.blocked_cause.eq(Cause.BUS)
        with m.Elif(~met.weights):
            m.d.comb += compute.blocked_cause.eq(Cause.WEIGHTS)
        with m.Else():
            m.d.comb += compute.blocked_cause.eq(Cause.ACTIVATIONS)

    def _connect_scratchpad(self, m, scratchpad, load, compute, store) -> None:
        wiring.connect(m, load.write, scratchpad.load)
        wiring.connect(m, compute.residual, scratchpad.residual)
        wiring.connect(m, store.read, scratchpad.store)
        m.d.comb += [
            scratchpad.row_address.eq(compute.row_address),
            scratchpad.row_enable.eq(compute.row_enable),
            compute.row.eq(scratchpad.row),
            compute.residual_word.eq(scratchpad.residual_word),
            scratchpad.result.eq(compute.result),
            scratchpad.result_valid.eq(compute.result_valid),
            store.word.eq(scratchpad.store_word),
        ]

    def _connect_weight_memories(self, m, weights, compute) -> None:
        m.submodules.weight_memory = weight_memory = WeightMemory(self.config)
        m.submodules.parameter_memory = parameters = ParameterMemory(self.config)
        m.d.comb += [
            weight_memory.write_unit.eq(weights.weight_unit),
            weight_memory.write_data.eq(weights.beat.payload),
            weight_memory.write_enable.eq(weights.weight_enable),
            weight_memory.read_row.eq(compute.weight_row),
            compute.weights.eq(weight_memory.read_data),
            parameters.write_row.eq(weights.parameter_row),
            parameters.write_unit.eq(weights.parameter_unit),
            parameters.write_data.eq(weights.beat.payload),
            parameters.write_enable.eq(weights.parameter_enable),
            parameters.read_row.eq(compute.parameter_row),
            compute.bias.eq(parameters.bias),
            compute.shift.eq(parameters.shift),
        ]

    def _connect_memory(self, m, fetch, arbiter, load, weights, store) -> None:
        control, memory = self.control, self.memory
        image_limit, data_limit = Signal(33), Signal(33)
        m.d.comb += [
            image_limit.eq(control.image_base + control.image_size),
            data_limit.eq(control.data_base + control.data_size),
            fetch.first.eq(control.image_base + control.program_offset),
            fetch.limit.eq(image_limit),
            fetch.beat_error.eq(arbiter.fetch_error),
            weights.base.eq(control.image_base),
            load.base.eq(control.data_base),
            store.base.eq(control.data_base),
            store.limit.eq(data_limit),
            arbiter.limit_fetch.eq(image_limit),
            arbiter.limit_weights.eq(image_limit),
            arbiter.limit_load.eq(data_limit),
        ]
        for name, unit in (("fetch", fetch), ("weights", weights), ("load", load)):
            wiring.connect(m, unit.request, getattr(arbiter, f"request_{name}"))
            wiring.connect(m, getattr(arbiter, f"beat_{name}"), unit.beat)
        wiring.connect(m, arbiter.request, wiring.flipped(memory.read_request))
        wiring.connect(m, wiring.flipped(memory.read_data), arbiter.read_data)
        wiring.connect(m, store.write_request, wiring.flipped(memory.write_request))
        wiring.connect(m, store.write_data, wiring.flipped(memory.write_data))
        wiring.connect(m, wiring.flipped(memory.write_response), store.write_response)

    def _control(self, m, fetch, arbiter, load, weights, compute, store) -> Signal:
        """IDLE -> RUN -> (END) or (error: DRAIN) -> IDLE; returns `running`."""
        control = self.control
        running = Signal()
        failed, code, number = self._first_error(m, fetch, arbiter, load, weights, compute, store)
        stuck = self._timeout(m, arbiter, store)
        quiet = Signal()
        m.d.comb += [quiet.eq(arbiter.idle & store.idle), control.busy.eq(running)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [arbiter.hold.eq(1), store.hold.eq(1)]
                with m.If(control.start):
                    m.d.comb += self._clear.eq(1)
                    m.d.sync += [control.error.eq(Error.NONE), control.error_command.eq(0), running.eq(1)]
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += fetch.run.eq(1)
                with m.If(control.soft_reset):
                    m.d.sync += control.error.eq(Error.ABORTED)
                    m.next = "DRAIN"
                with m.Elif(failed):
                    m.d.sync += [control.error.eq(code), control.error_command.eq(number)]
                    m.next = "DRAIN"
                with m.Elif(stuck):
                    m.d.sync += control.error.eq(Error.TIMEOUT)
                    m.next = "DRAIN"
                with m.Elif(fetch.ended):
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += [arbiter.hold.eq(1), arbiter.discard.eq(1), store.hold.eq(1)]
                with m.If(stuck & (control.error == Error.NONE)):
                    m.d.sync += control.error.eq(Error.TIMEOUT)
                with m.If(quiet | stuck):
                    m.d.comb += [self._clear.eq(1), control.done.eq(1)]
                    m.d.sync += running.eq(0)
                    m.next = "IDLE"
        return running

    def _first_error(self, m, fetch, arbiter, load, weights, compute, store):
        """(any, code, command number) of the errors of this cycle; the first in this list wins."""
        sources = (
            (arbiter.bus_error, Error.READ_BUS, arbiter.bus_error_number),
            (store.bus_error, Error.WRITE_BUS, store.bus_error_number),
            (arbiter.outside, Error.REGION, arbiter.outside_number),
            (store.outside, Error.REGION, store.error_number),
            (fetch.bus_error, Error.READ_BUS, fetch.error_number),
            (fetch.ran_out, Error.REGION, fetch.error_number),
            (compute.illegal, Error.FIELD, compute.number),
            (load.illegal, Error.FIELD, load.number),
            (weights.illegal, Error.FIELD, weights.number),
            (store.illegal, Error.FIELD, store.number),
            (load.overflow, Error.SCRATCHPAD, load.error_number),
            (store.overflow, Error.SCRATCHPAD, store.error_number),
            (compute.overflow, Error.SCRATCHPAD, compute.overflow_number),
            (fetch.unknown_unit, Error.UNIT, fetch.error_number),
        )
        any_error, code, number = Signal(), Signal(4), Signal(16)
        m.d.comb += any_error.eq(Cat(*[source[0] for source in sources]).any())
        for happened, error, command in reversed(sources):
            with m.If(happened):
                m.d.comb += [code.eq(error), number.eq(command)]
        return any_error, code, number

    def _timeout(self, m, arbiter, store) -> Signal:
        """High when the bus owes something and nothing has moved on it for `timeout` cycles."""
        memory, waiting, stuck = self.memory, Signal(32), Signal()
        moved = Cat(
            *(
                getattr(memory, name).valid & getattr(memory, name).ready
                for name in ("read_request", "read_data", "write_request", "write_data")
            ),
            memory.write_response.valid,
        ).any()
        with m.If(moved | self._clear | (arbiter.idle & store.idle)):
            m.d.sync += waiting.eq(0)
        with m.Elif(~stuck):
            m.d.sync += waiting.eq(waiting + 1)
        with m.Else():
            m.d.sync += waiting.eq(0)
        m.d.comb += stuck.eq((self.control.timeout != 0) & (waiting >= self.control.timeout))
        return stuck

    def _counters(self, m, compute, running) -> None:
        counters, memory = self.counters, self.memory
        events = {cause.name.lower(): running & (compute.cause == cause) for cause in Cause}
        events["cycles"] = running
        events["read_beats"] = running & memory.read_data.valid & memory.read_data.ready
        events["write_beats"] = running & memory.write_data.valid & memory.write_data.ready
        for name, event in events.items():
            counter = getattr(counters, name)
            with m.If(~running & self.control.start):
                m.d.sync += counter.eq(0)
            with m.Elif(event):
                m.d.sync += counter.eq(counter + 1)

    def _connect_trace(self, m, compute, running) -> None:
        trace = self.trace
        m.d.comb += [
            trace.valid.eq(compute.result_valid),
            trace.layer.eq(compute.trace_layer),
            trace.sub.eq(compute.result.sub),
            trace.pixel_valid.eq(compute.result.pixel_valid),
            trace.cause_valid.eq(running),
            trace.cause.eq(compute.cause),
            trace.cause_layer.eq(compute.cause_layer),
        ]
        for pixel in range(self.config.pixels):
            m.d.comb += [
                getattr(trace, f"address_{pixel}").eq(compute.result.address + pixel),
                getattr(trace, f"output_{pixel}").eq(compute.result.data[pixel]),
                getattr(trace, f"acc_{pixel}").eq(compute.trace_acc[pixel]),
                getattr(trace, f"shifted_{pixel}").eq(compute.trace_shifted[pixel]),
                getattr(trace, f"product_{pixel}").eq(compute.trace_product[pixel]),
            ]
