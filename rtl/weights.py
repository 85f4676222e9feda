"""WEIGHTS: weight and parameter rows from external memory into their on-chip memories."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from compiler.encoding import Unit
from rtl import command as cmd
from rtl.bank import UNORDERED
from rtl.interfaces import BEAT_BITS
from rtl.queue import Queue
from rtl.transfer import BurstRequest, BurstSplitter

JOBS_AHEAD = 8
BIAS_BITS, SHIFT_BITS = 32, 4
BIAS_BYTES = BIAS_BITS // 8


class WeightMemory(wiring.Component):
    """Rows of lanes * taps INT8 weights, written 16 bytes at a time, read whole.

    Members: write_unit (16-byte unit number), write_data, write_enable; read_row, read_data (`read_latency` cycles
    later).
    """

    read_latency = 3

    def __init__(self, config: EngineConfig):
        self._row_bits = config.weight_row_bytes * 8
        self._physical_bits = max(self._row_bits, BEAT_BITS)
        self._rows_per_word = self._physical_bits // self._row_bits
        self._depth = config.weight_rows // self._rows_per_word
        self._units_per_word = self._physical_bits // BEAT_BITS
        super().__init__(
            {
                "write_unit": In(range(self._depth * self._units_per_word)),
                "write_data": In(BEAT_BITS),
                "write_enable": In(1),
                "read_row": In(range(config.weight_rows)),
                "read_data": Out(self._row_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=self._physical_bits, depth=self._depth, init=[], attrs=UNORDERED)
        write, read = memory.write_port(granularity=BEAT_BITS), memory.read_port()
        unit_bits = (self._units_per_word - 1).bit_length()
        row_bits = (self._rows_per_word - 1).bit_length()
        m.d.comb += [
            write.addr.eq(self.write_unit[unit_bits:]),
            write.data.eq(Cat(*[self.write_data] * self._units_per_word)),
            write.en.eq(Mux(self.write_enable, 1 << self.write_unit[:unit_bits] if unit_bits else 1, 0)),
            read.addr.eq(self.read_row[row_bits:]),
            read.en.eq(1),
        ]
        if row_bits:
            part = Signal(row_bits)
            m.d.sync += [part.eq(self.read_row[:row_bits])]
            row = read.data.word_select(part, self._row_bits)
        else:
            row = read.data
        held = [Signal(self._row_bits, name=f"row_{i}", reset_less=True) for i in range(2)]
        m.d.sync += [held[0].eq(row), held[1].eq(held[0])]
        m.d.comb += self.read_data.eq(held[1])
        return m


class ParameterMemory(wiring.Component):
    """Rows of `lanes` int32 biases and 4-bit shifts; 36 bits per channel.

    Members: write_row, write_unit (16-byte unit within the row), write_data, write_enable; read_row;
    bias[lane], shift[lane] `read_latency` cycles later.
    """

    read_latency = 2

    def __init__(self, config: EngineConfig):
        self._config = config
        self._units = config.parameter_row_bytes // 16
        super().__init__(
            {
                "write_row": In(range(config.parameter_rows)),
                "write_unit": In(range(self._units + 1)),
                "write_data": In(BEAT_BITS),
                "write_enable": In(1),
                "read_row": In(range(config.parameter_rows)),
                "bias": Out(data.ArrayLayout(BIAS_BITS, config.lanes)),
                "shift": Out(data.ArrayLayout(SHIFT_BITS, config.lanes)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bias, shift = parameter_rows(m, self._config, self, self.write_unit, BEAT_BITS // 8)
        held = [Signal.like(value, name=f"held_{i}", reset_less=True) for i, value in enumerate((bias, shift))]
        m.d.sync += Cat(held).eq(Cat(bias, shift))
        m.d.comb += [self.bias.as_value().eq(held[0]), self.shift.as_value().eq(held[1])]
        return m


def parameter_rows(m, config: EngineConfig, ports, part, part_bytes: int):
    """(biases, shifts) of row `ports.read_row`, a cycle later; written `part_bytes` bytes at a time.

    ports: has write_row, write_data, write_enable and read_row. part: number, within its row, of what is written.
    """
    lanes, depth = config.lanes, config.parameter_rows
    chunk = min(lanes * BIAS_BYTES, part_bytes)
    chunks, (shift_part, shift_byte) = lanes * BIAS_BYTES // chunk, divmod(lanes * BIAS_BYTES, part_bytes)
    m.submodules.biases = biases = Memory(shape=lanes * BIAS_BITS, depth=depth, init=[], attrs=UNORDERED)
    m.submodules.shifts = shifts = Memory(shape=lanes * SHIFT_BITS, depth=depth, init=[], attrs=UNORDERED)
    bias_write, shift_write = biases.write_port(granularity=chunk * 8), shifts.write_port()
    bias_read, shift_read = biases.read_port(), shifts.read_port()
    m.d.comb += [
        bias_write.addr.eq(ports.write_row),
        shift_write.addr.eq(ports.write_row),
        bias_write.data.eq(Cat(*[ports.write_data[: chunk * 8]] * chunks)),
        shift_write.data.eq(ports.write_data[shift_byte * 8 :]),
        bias_write.en.eq(Mux(ports.write_enable & (part < chunks), 1 << part, 0)),
        shift_write.en.eq(ports.write_enable & (part == shift_part)),
        bias_read.addr.eq(ports.read_row),
        shift_read.addr.eq(ports.read_row),
        bias_read.en.eq(1),
        shift_read.en.eq(1),
    ]
    return bias_read.data, shift_read.data


def memory_ports(config: EngineConfig) -> dict:
    """Members of whatever fills the weight and parameter memories: where the 16 bytes of this cycle go, if anywhere."""
    return {
        "weight_unit": Out(range(config.weight_rows * config.weight_row_bytes // 16)),
        "weight_enable": Out(1),
        "parameter_row": Out(range(config.parameter_rows)),
        "parameter_unit": Out(range(config.parameter_row_bytes // 16 + 1)),
        "parameter_enable": Out(1),
    }


class Weights(wiring.Component):
    """Streams bytes into the weight memory (row `row` on, wrapping) or the parameter memory.

    Members: `rtl.command.members` and `number`, the command's; `base`, `limit`: of the image region (absolute, limit
    33 bits); `request` stream of bursts; `beat` stream of 16 bytes, in request order; `data`, written: with
    `weight_enable` to unit `weight_unit` of WeightMemory, with `parameter_enable` to unit `parameter_unit` of row
    `parameter_row` of ParameterMemory; `finished`: pulse per command, with its last write; `illegal`: a field is out of
    range. All that is written comes from registers. Latency: 1 cycle; throughput: one beat per cycle.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                **cmd.members(Unit.WEIGHTS),
                "number": In(cmd.NUMBER_BITS),
                "base": In(32),
                "limit": In(33),
                "request": Out(stream.Signature(BurstRequest)),
                "beat": In(stream.Signature(BEAT_BITS)),
                "data": Out(BEAT_BITS),
                **memory_ports(config),
                "finished": Out(1),
                "illegal": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.splitter = splitter = BurstSplitter(repeated=False)
        wiring.connect(m, splitter.o, wiring.flipped(self.request))
        command = cmd.fields(Unit.WEIGHTS, self.command)
        job_layout = data.StructLayout({"row": 16, "parameters": 1, "length": 20})
        m.submodules.jobs = jobs = Queue(
            width=job_layout.size, depth=JOBS_AHEAD, memory=self._config.queue_memory
        )
        start, go = Signal(), Signal()
        legal = Signal()
        run = splitter.i.payload
        m.d.sync += legal.eq((command.length != 0) & (command.address[:4] == 0))
        m.d.comb += [
            self.illegal.eq(self.command_valid & ~legal),
            go.eq(self.command_valid & legal & self.may_start & jobs.w_rdy),
            start.eq(go & splitter.i.ready),
            self.command_ready.eq(start),
            splitter.i.valid.eq(go),
            splitter.limit.eq(self.limit),
            run.address.eq((self.base[4:] + command.address[4:]) << 4),
            run.units.eq(command.length),
            run.count.eq(1),
            run.number.eq(self.number),
            jobs.w_en.eq(start),
            jobs.w_data.eq(Cat(command.row, command.parameters, command.length)),
        ]
        self._write(m, job_layout, jobs)
        return m

    def _write(self, m, job_layout, jobs) -> None:
        """Each beat goes to the next unit of the job's memory; `following` is the job behind the one in hand.

        A parameter row takes `parameter_row_bytes / 16` units.
        """
        following = Signal(job_layout, reset_less=True)
        follows = Signal()
        busy = Signal()
        parameters = Signal()
        left = Signal(20)  # beats of the job still to come
        ends = Signal()  # the next beat is its last
        unit = Signal.like(self.weight_unit)
        row = Signal.like(self.parameter_row)
        unit_in_row = Signal.like(self.parameter_unit)
        row_ends = Signal()  # that unit is the row's last
        take = Signal()
        begins = Signal()
        m.d.comb += [
            self.beat.ready.eq(busy),
            take.eq(busy & self.beat.valid),
            begins.eq(follows & (~busy | (take & ends))),
            jobs.r_en.eq(~follows | begins),
        ]
        with m.If(jobs.r_en):
            m.d.sync += [following.as_value().eq(jobs.r_data), follows.eq(jobs.r_rdy)]
        m.d.sync += [
            self.data.eq(self.beat.payload),
            self.weight_unit.eq(unit),
            self.parameter_row.eq(row),
            self.parameter_unit.eq(unit_in_row),
            self.weight_enable.eq(take & ~parameters),
            self.parameter_enable.eq(take & parameters),
            self.finished.eq(take & ends),
        ]
        units_per_row = self._config.parameter_row_bytes // 16
        with m.If(begins):
            row_bytes = self._config.weight_row_bytes
            shift = row_bytes.bit_length() - 5  # of rows to units
            first = following.row << shift if shift >= 0 else following.row >> -shift
            m.d.sync += [
                busy.eq(1),
                parameters.eq(following.parameters),
                left.eq(following.length),
                ends.eq(following.length == 1),
                unit.eq(first),
                row.eq(following.row),
                unit_in_row.eq(0),
                row_ends.eq(units_per_row == 1),
            ]
        with m.Elif(take):
            m.d.sync += [
                busy.eq(~ends),
                left.eq(left - 1),
                ends.eq(left == 2),
                unit.eq(unit + 1),
                unit_in_row.eq(Mux(row_ends, 0, unit_in_row + 1)),
                row_ends.eq(Mux(row_ends, units_per_row == 1, unit_in_row + 2 == units_per_row)),
                row.eq(row + row_ends),
            ]
