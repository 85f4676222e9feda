"""Weight and parameter memories of an engine without queues: written as many bytes at a time as an operation reads."""

from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from compiler.config import WORD_BYTES, EngineConfig
from rtl.bank import UNORDERED
from rtl.in_order_scratchpad import step_bits
from rtl.weights import BIAS_BITS, SHIFT_BITS, parameter_rows


def in_order_ports(config: EngineConfig) -> dict:
    """Members of what fills the memories: where the `port_bytes` bytes of this cycle go, if anywhere.

    `weight_part`: a number of parts of `port_bytes` bytes; `parameter_part`: likewise, within row `parameter_row`.
    """
    row_parts = config.weight_row_bytes // config.port_bytes
    parameter_parts = config.parameter_row_bytes // config.port_bytes
    return {
        "weight_part": Out(range(config.weight_rows * row_parts)),
        "weight_enable": Out(1),
        "parameter_row": Out(range(config.parameter_rows)),
        "parameter_part": Out(range(parameter_parts + 1)),
        "parameter_enable": Out(1),
    }


class InOrderWeightMemory(wiring.Component):
    """Rows of lanes * taps INT8 weights, written in parts of `port_bytes` bytes, read whole.

    Members: write_part (its number), write_data, write_enable; read_row, read_data (`read_latency` cycles later).
    """

    read_latency = 1

    def __init__(self, config: EngineConfig):
        self._config = config
        part = in_order_ports(config)["weight_part"].shape
        super().__init__(
            {
                "write_part": In(part),
                "write_data": In(config.port_bytes * 8),
                "write_enable": In(1),
                "read_row": In(range(config.weight_rows)),
                "read_data": Out(config.weight_row_bytes * 8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, parts = self._config, self._config.weight_row_bytes // self._config.port_bytes
        bits = (parts - 1).bit_length()
        m.submodules.memory = memory = Memory(
            shape=config.weight_row_bytes * 8, depth=config.weight_rows, init=[], attrs=UNORDERED
        )
        write, read = memory.write_port(granularity=config.port_bytes * 8), memory.read_port()
        m.d.comb += [
            write.addr.eq(self.write_part[bits:]),
            write.data.eq(Cat(*[self.write_data] * parts)),
            write.en.eq(Mux(self.write_enable, 1 << self.write_part[:bits], 0)),
            read.addr.eq(self.read_row),
            read.en.eq(1),
            self.read_data.eq(read.data),
        ]
        return m


class InOrderParameterMemory(wiring.Component):
    """Rows of `lanes` int32 biases and, behind them, `lanes` 4-bit shifts, written in parts of `port_bytes` bytes.

    Members: write_row, write_part (its number within the row), write_data, write_enable; read_row; bias[lane],
    shift[lane] `read_latency` cycles later.
    """

    read_latency = 1

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "write_row": In(range(config.parameter_rows)),
                "write_part": In(in_order_ports(config)["parameter_part"].shape),
                "write_data": In(config.port_bytes * 8),
                "write_enable": In(1),
                "read_row": In(range(config.parameter_rows)),
                "bias": Out(data.ArrayLayout(BIAS_BITS, config.lanes)),
                "shift": Out(data.ArrayLayout(SHIFT_BITS, config.lanes)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bias, shift = parameter_rows(m, self._config, self, self.write_part, self._config.port_bytes)
        m.d.comb += [self.bias.as_value().eq(bias), self.shift.as_value().eq(shift)]
        return m


def first_weight_part(row, config: EngineConfig):
    """The part that a WEIGHTS command for row `row` begins with; it begins with 16 bytes."""
    if config.weight_row_bytes < WORD_BYTES:
        row = row[(WORD_BYTES // config.weight_row_bytes - 1).bit_length() :]
        return row << step_bits(config)
    return row << (config.weight_row_bytes // config.port_bytes - 1).bit_length()
