"""The engine core: access side, COMPUTE, their memories, control and counters."""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, DomainRenamer, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from compiler.config import EngineConfig
from rtl.access import Access
from rtl.compute import Compute
from rtl.in_order import REGIONS, InOrderAccess
from rtl.in_order_compute import InOrderCompute
from rtl.in_order_memories import InOrderParameterMemory, InOrderWeightMemory
from rtl.in_order_scratchpad import InOrderScratchpad
from rtl.interfaces import Cause, Control, Memory, counters_signature, trace_signature
from rtl.program_control import ProgramControl
from rtl.scratchpad import Scratchpad, row_members
from rtl.weights import ParameterMemory, WeightMemory


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
        m.submodules.program_control = control = ProgramControl(without_timeout=bool(config.without_timeout))
        access = InOrderAccess(config) if config.in_order else Access(config)
        compute = (InOrderCompute if config.in_order else Compute)(config, trace=self._trace)
        # What forgets a program is reset by one register alone: no gate stands between it and thousands of others.
        m.domains.program = ClockDomain("program", reset_less=True, local=True)
        m.d.comb += ClockSignal("program").eq(ClockSignal("sync"))
        for name, unit in (("access", access), ("compute", compute)):
            m.submodules[name] = DomainRenamer("program")(ResetInserter(control.clear)(unit))
        m.submodules.scratchpad = scratchpad = (InOrderScratchpad if config.in_order else Scratchpad)(config)
        self._control(m, control, access)
        self._connect_compute(m, access, compute)
        self._connect_scratchpad(m, scratchpad, access, compute)
        self._connect_weight_memories(m, access, compute)
        self._counters(m, compute, control.running)
        if self._trace:
            self._connect_trace(m, compute, control.running)
        return m

    def _control(self, m, control, access) -> None:
        """Program control, the regions, the memory side."""
        memory, ports = self.memory, self.control
        wiring.connect(m, control.control, wiring.flipped(ports))
        self._connect_memory(m, control, access.memory)
        streams = [getattr(memory, name) for name in ("read_request", "read_data", "write_request", "write_data")]
        moved = Cat(*(one.valid & one.ready for one in streams), memory.write_response.valid)
        m.d.comb += control.moved.eq(moved.any())
        if self.config.in_order:
            m.d.comb += [getattr(access, name).eq(getattr(ports, name)) for name in REGIONS]
        else:
            self._regions(m, ports, access)
        for name in ("run", "hold", "discard"):
            m.d.comb += getattr(access, name).eq(getattr(control, name))
        for name in ("failed", "error", "error_number", "ended", "idle"):
            m.d.comb += getattr(control, name).eq(getattr(access, name))

    def _connect_memory(self, m, control, asks) -> None:
        """What is offered while the access side is cleared is meaningless: after a reset it holds anything."""
        for name in ("read_request", "write_request", "write_data"):
            inner, outer = getattr(asks, name), getattr(self.memory, name)
            m.d.comb += [
                outer.payload.eq(inner.payload),
                outer.valid.eq(inner.valid & ~control.clear),
                inner.ready.eq(outer.ready),
            ]
        for name in ("read_data", "write_response"):
            wiring.connect(m, wiring.flipped(getattr(self.memory, name)), getattr(asks, name))

    def _regions(self, m, ports, access) -> None:
        """The sums are a cycle late: a program runs from the cycle after its start on. All are multiples of 16."""
        sums = {
            "image_limit": (ports.image_base[4:] + ports.image_size[4:]) << 4,
            "data_limit": (ports.data_base[4:] + ports.data_size[4:]) << 4,
            "first": (ports.image_base[4:] + ports.program_offset[4:]) << 4,
        }
        m.d.comb += [access.image_base.eq(ports.image_base), access.data_base.eq(ports.data_base)]
        for name, value in sums.items():
            held = Signal(33, name=name)
            m.d.sync += held.eq(value)
            m.d.comb += getattr(access, name).eq(held)

    def _connect_compute(self, m, access, compute) -> None:
        shared = ("command", "number", "command_valid", "may_start", "blocked_cause")
        for name in shared:
            if name in compute.signature.members:
                m.d.comb += getattr(compute, name).eq(getattr(access, name))
        m.d.comb += [
            access.command_ready.eq(compute.command_ready),
            access.compute_finished.eq(compute.finished),
            access.compute_illegal.eq(compute.illegal),
            access.compute_overflow.eq(compute.overflow),
        ]
        if not self.config.in_order:
            m.d.comb += access.overflow_number.eq(compute.overflow_number)

    def _connect_scratchpad(self, m, scratchpad, access, compute) -> None:
        """An engine without queues has one part of a word read, whoever asked for it, and no residual port."""
        in_order = self.config.in_order
        wiring.connect(m, access.load, scratchpad.load)
        if not in_order:
            wiring.connect(m, compute.residual, scratchpad.residual)
        wiring.connect(m, access.store, scratchpad.store)
        m.d.comb += [
            scratchpad.row_address.eq(compute.row_address),
            scratchpad.row_enable.eq(compute.row_enable),
            *([compute.part.eq(scratchpad.part)] if in_order else [
                scratchpad.group_sub.eq(compute.group_sub), compute.residual_part.eq(scratchpad.residual_part),
                *(getattr(compute, name).eq(getattr(scratchpad, name)) for name in row_members(self.config, Out)),
            ]),
            scratchpad.result.eq(compute.result),
            scratchpad.result_valid.eq(compute.result_valid),
            access.store_part.eq(scratchpad.part) if in_order else access.store_word.eq(scratchpad.store_word),
        ]

    def _connect_weight_memories(self, m, access, compute) -> None:
        in_order = self.config.in_order
        m.submodules.weight_memory = weight_memory = (InOrderWeightMemory if in_order else WeightMemory)(self.config)
        m.submodules.parameter_memory = parameters = (
            (InOrderParameterMemory if in_order else ParameterMemory)(self.config)
        )
        m.d.comb += [
            weight_memory.write_part.eq(access.weight_part) if in_order else
            weight_memory.write_unit.eq(access.weight_unit),
            weight_memory.write_data.eq(access.data),
            weight_memory.write_enable.eq(access.weight_enable),
            weight_memory.read_row.eq(compute.weight_row),
            compute.weights.eq(weight_memory.read_data),
            parameters.write_row.eq(access.parameter_row),
            parameters.write_part.eq(access.parameter_part) if in_order else
            parameters.write_unit.eq(access.parameter_unit),
            parameters.write_data.eq(access.data),
            parameters.write_enable.eq(access.parameter_enable),
            parameters.read_row.eq(compute.parameter_row),
            compute.bias.eq(parameters.bias),
            compute.shift.eq(parameters.shift),
        ]

    def _counters(self, m, compute, running) -> None:
        counters, memory = self.counters, self.memory
        events = {cause.name.lower(): running & (compute.cause == cause) for cause in Cause}
        events["read_beats"] = running & memory.read_data.valid & memory.read_data.ready
        events["write_beats"] = running & memory.write_data.valid & memory.write_data.ready
        if not self.config.counters:
            events = {}
        for name in ("read_beats", "write_beats"):
            if name in events:  # a cycle later: what decides about a beat is known late
                event = Signal(name=f"{name}_event")
                m.d.sync += event.eq(events[name])
                events[name] = event
        events["cycles"] = running
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
