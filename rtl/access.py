"""The access side of the engine: program, queues, LOAD, WEIGHTS, STORE: all between memory and COMPUTE."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from compiler.encoding import Unit, length_units
from rtl import command as cmd
from rtl.fetch import EXECUTING_UNITS, Fetch
from rtl.interfaces import BEAT_BITS, Cause, Error, Memory
from rtl.load import Load
from rtl.read_arbiter import ReadArbiter
from rtl.scratchpad import ADDRESS_BITS, LoadWrite
from rtl.store import Store
from rtl.weights import Weights, memory_ports


def access_members(config: EngineConfig) -> dict:
    """What every access side has.

    `run`: a program runs; `hold`: ask for nothing more; `discard`: drop what still comes; `image_base`, `image_limit`,
    `data_base`, `data_limit`: the regions (absolute, limits 33 bits); `first`: address of the first command; `memory`
    (rtl/interfaces.py); `command` .. `blocked_cause`: the COMPUTE command at its head, as `rtl.command.members`;
    `compute_finished`: pulse; `compute_illegal`, `compute_overflow` with `overflow_number`: errors of COMPUTE; `load`,
    `store`, `store_word`: the scratchpad; `data` with `weight_*`, `parameter_*`: writes of the weight memories;
    `idle`: the memory owes nothing; `ended`: the program is over; `failed`, `error`, `error_number`: the first error of
    the cycle before.
    """
    return {
        "run": In(1),
        "hold": In(1),
        "discard": In(1),
        "image_base": In(32),
        "image_limit": In(33),
        "data_base": In(32),
        "data_limit": In(33),
        "first": In(33),
        "memory": Out(Memory),
        "command": Out(length_units(Unit.COMPUTE) * BEAT_BITS),
        "number": Out(cmd.NUMBER_BITS),
        "command_valid": Out(1),
        "command_ready": In(1),
        "may_start": Out(1),
        "blocked_cause": Out(4),
        "compute_finished": In(1),
        "compute_illegal": In(1),
        "compute_overflow": In(1),
        "overflow_number": In(cmd.NUMBER_BITS),
        "load": Out(stream.Signature(LoadWrite)),
        "store": Out(stream.Signature(ADDRESS_BITS)),
        "store_word": In(BEAT_BITS),
        "data": Out(BEAT_BITS),
        **memory_ports(config),
        "idle": Out(1),
        "ended": Out(1),
        "failed": Out(1),
        "error": Out(4),
        "error_number": Out(cmd.NUMBER_BITS),
    }


class Access(wiring.Component):
    """Four units in parallel, each behind its queue, their requests arbitrated. Members: `access_members`."""

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(access_members(config))

    def elaborate(self, platform):
        m = Module()
        sizes = {"scratchpad_words": self._config.scratchpad_words, "queue_memory": self._config.queue_memory}
        m.submodules.fetch = fetch = Fetch(queue_memory=self._config.queue_memory)
        m.submodules.arbiter = arbiter = ReadArbiter(queue_memory=self._config.queue_memory)
        m.submodules.load = load = Load(**sizes)
        m.submodules.weights = weights = Weights(self._config)
        m.submodules.store = store = Store(**sizes)
        self._queues(m, fetch, load, weights, store)
        self._connect_memories(m, load, weights, store)
        self._connect_bus(m, fetch, arbiter, load, weights, store)
        self._first_error(m, fetch, arbiter, load, weights, store)
        m.d.comb += [
            fetch.run.eq(self.run),
            arbiter.hold.eq(self.hold),
            arbiter.discard.eq(self.discard),
            store.hold.eq(self.hold),
            self.idle.eq(arbiter.idle & store.idle),
            self.ended.eq(fetch.ended),
        ]
        return m

    def _queues(self, m, fetch, load, weights, store) -> None:
        """From the fetcher through a queue to each unit; a command may start when its waits are met."""
        finished = [Signal(16, name=f"finished_{unit.name.lower()}") for unit in EXECUTING_UNITS]
        units = {Unit.LOAD: load, Unit.WEIGHTS: weights, Unit.COMPUTE: self, Unit.STORE: store}
        for unit, component in units.items():
            name = unit.name.lower()
            depth = max(self._config.queue_units, length_units(unit))
            queue = cmd.CommandQueue(unit=unit, depth=depth, memory=self._config.queue_memory)
            m.submodules[f"queue_{name}"] = queue
            wiring.connect(m, getattr(fetch, f"queue_{name}"), queue.i)
            met = self._waits_met(m, unit, cmd.waits_met(cmd.fields(unit, queue.command), finished))
            pulse = self.compute_finished if unit == Unit.COMPUTE else component.finished
            m.d.sync += finished[unit].eq(finished[unit] + pulse)
            m.d.comb += [
                getattr(fetch, f"finished_{name}").eq(finished[unit]),
                component.command.eq(queue.command),
                component.number.eq(queue.number),
                component.command_valid.eq(queue.valid),
                queue.ready.eq(component.command_ready),
                component.may_start.eq(met.load & met.weights & met.compute & met.store),
            ]
            if unit == Unit.COMPUTE:
                self._blocked_cause(m, met)

    @staticmethod
    def _waits_met(m, unit: Unit, met: SimpleNamespace) -> SimpleNamespace:
        """The conditions a cycle later: of a command that is valid they are its own, and what is met remains so."""
        held = {name: Signal(name=f"met_{name}_by_{unit.name.lower()}") for name in vars(met)}
        m.d.sync += [held[name].eq(value) for name, value in vars(met).items()]
        return SimpleNamespace(**held)

    def _blocked_cause(self, m, met) -> None:
        """Why a COMPUTE command waits, by the priority of rtl.interfaces.Cause."""
        reading = Signal()
        m.d.sync += reading.eq(self.memory.read_data.valid & self.memory.read_data.ready)
        with m.If(~met.compute):
            m.d.comb += self.blocked_cause.eq(Cause.REQUANTIZER)
        with m.Elif(~met.store):
            m.d.comb += self.blocked_cause.eq(Cause.STORE)
        with m.Elif(~reading):
            m.d.comb += self.blocked_cause.eq(Cause.BUS)
        with m.Elif(~met.weights):
            m.d.comb += self.blocked_cause.eq(Cause.WEIGHTS)
        with m.Else():
            m.d.comb += self.blocked_cause.eq(Cause.ACTIVATIONS)

    def _connect_memories(self, m, load, weights, store) -> None:
        wiring.connect(m, load.write, wiring.flipped(self.load))
        wiring.connect(m, store.read, wiring.flipped(self.store))
        m.d.comb += [
            store.word.eq(self.store_word),
            self.data.eq(weights.data),
            self.weight_unit.eq(weights.weight_unit),
            self.weight_enable.eq(weights.weight_enable),
            self.parameter_row.eq(weights.parameter_row),
            self.parameter_unit.eq(weights.parameter_unit),
            self.parameter_enable.eq(weights.parameter_enable),
        ]

    def _connect_bus(self, m, fetch, arbiter, load, weights, store) -> None:
        memory = self.memory
        m.d.comb += [
            fetch.first.eq(self.first),
            fetch.limit.eq(self.image_limit),
            fetch.beat_error.eq(arbiter.fetch_error),
            weights.base.eq(self.image_base),
            weights.limit.eq(self.image_limit),
            load.base.eq(self.data_base),
            load.limit.eq(self.data_limit),
            store.base.eq(self.data_base),
            store.limit.eq(self.data_limit),
        ]
        for name, unit in (("fetch", fetch), ("weights", weights), ("load", load)):
            wiring.connect(m, unit.request, getattr(arbiter, f"request_{name}"))
            wiring.connect(m, getattr(arbiter, f"beat_{name}"), unit.beat)
        wiring.connect(m, arbiter.request, wiring.flipped(memory.read_request))
        wiring.connect(m, wiring.flipped(memory.read_data), arbiter.read_data)
        wiring.connect(m, store.write_request, wiring.flipped(memory.write_request))
        wiring.connect(m, store.write_data, wiring.flipped(memory.write_data))
        wiring.connect(m, wiring.flipped(memory.write_response), store.write_response)

    def _first_error(self, m, fetch, arbiter, load, weights, store) -> None:
        """Of the errors of the cycle before the first in this list."""
        sources = (
            (arbiter.bus_error, Error.READ_BUS, arbiter.bus_error_number),
            (store.bus_error, Error.WRITE_BUS, store.bus_error_number),
            (arbiter.outside, Error.REGION, arbiter.outside_number),
            (store.outside, Error.REGION, store.error_number),
            (fetch.bus_error, Error.READ_BUS, fetch.error_number),
            (fetch.ran_out, Error.REGION, fetch.error_number),
            (self.compute_illegal, Error.FIELD, self.number),
            (load.illegal, Error.FIELD, load.number),
            (weights.illegal, Error.FIELD, weights.number),
            (store.illegal, Error.FIELD, store.number),
            (load.overflow, Error.SCRATCHPAD, load.error_number),
            (store.overflow, Error.SCRATCHPAD, store.error_number),
            (self.compute_overflow, Error.SCRATCHPAD, self.overflow_number),
            (fetch.unknown_unit, Error.UNIT, fetch.error_number),
        )
        m.d.sync += self.failed.eq(Cat(*[source[0] for source in sources]).any())
        for happened, error, command in reversed(sources):
            with m.If(happened):
                m.d.sync += [self.error.eq(error), self.error_number.eq(command)]
