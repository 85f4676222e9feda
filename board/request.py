"""A request as the board's side holds it: its header, what it asks for, and whether it may be executed."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from board.access import Space
from board.protocol import ADDRESS_BITS, BOARD_BYTES, DATA_MAX, REGISTER_BYTES, SESSION_BITS, VERSION, Code, Operation
from compiler.registers import ADDRESS_BITS as REGISTER_ADDRESS_BITS

SPACES = {
    Operation.WRITE_MEMORY: (Space.MEMORY, "writes"), Operation.READ_MEMORY: (Space.MEMORY, "reads"),
    Operation.WRITE_REGISTER: (Space.REGISTER, "writes"), Operation.READ_REGISTER: (Space.REGISTER, "reads"),
    Operation.READ_BOARD: (Space.BOARD, "reads"),
}


class Header(data.Struct):
    """The first bytes of a frame; `length` is bytes - 1."""

    kind: unsigned(8)
    sequence: unsigned(8)
    session: unsigned(SESSION_BITS)
    address: unsigned(ADDRESS_BITS)
    length: unsigned(8)


class Request(wiring.Component):
    """Whether a request could be executed, whatever its session and sequence number. Latency: 0.

    Parameters: memory_bytes: a power of two in 256..2^24.

    Members: `header`; `carried`: bytes of data that came with it; `busy`: the memory is not to be touched; `space`,
    `writes`, `reads`: what it asks for; `code`: DONE, or why it is refused.
    """

    def __init__(self, *, memory_bytes: int):
        if memory_bytes < DATA_MAX or memory_bytes & (memory_bytes - 1) or memory_bytes > 1 << ADDRESS_BITS:
            raise ValueError(f"Request memory_bytes = {memory_bytes!r} must be a power of two in {DATA_MAX}..2^24")
        self._memory_bits = memory_bytes.bit_length() - 1
        super().__init__(
            {
                "header": In(Header), "carried": In(range(DATA_MAX + 1)), "busy": In(1),
                "space": Out(Space), "writes": Out(1), "reads": Out(1), "code": Out(Code),
            }
        )

    def elaborate(self, platform):
        m = Module()
        header, length = self.header, Signal(range(DATA_MAX + 1))
        m.d.comb += length.eq(header.length + 1)
        with m.Switch(header.kind):
            for operation, (space, way) in SPACES.items():
                with m.Case(operation):
                    m.d.comb += [self.space.eq(space), getattr(self, way).eq(1)]
        with m.If(header.kind == Operation.OPEN):
            with m.If((length != VERSION) | (self.carried != 0)):
                m.d.comb += self.code.eq(Code.OPERATION)
        with m.Elif(~self.writes & ~self.reads):
            m.d.comb += self.code.eq(Code.OPERATION)
        with m.Elif(self.carried != Mux(self.writes, length, 0)):
            m.d.comb += self.code.eq(Code.LENGTH)
        with m.Else():
            self._refuse_place(m, length)
        return m

    def _refuse_place(self, m, length) -> None:
        header, code, end = self.header, self.code, Signal(9)
        m.d.comb += end.eq(header.address[:8] + header.length)
        with m.Switch(self.space):
            with m.Case(Space.MEMORY):
                with m.If((header.address[self._memory_bits :] != 0) | end[8]):
                    m.d.comb += code.eq(Code.RANGE)
                with m.Elif(self.busy):
                    m.d.comb += code.eq(Code.BUSY)
            with m.Case(Space.REGISTER):
                with m.If((length != REGISTER_BYTES) | (header.address[:2] != 0)):
                    m.d.comb += code.eq(Code.LENGTH)
                with m.Elif(header.address[REGISTER_ADDRESS_BITS:] != 0):
                    m.d.comb += code.eq(Code.RANGE)
            with m.Default():
                with m.If((header.address[8:] != 0) | (end >= BOARD_BYTES)):
                    m.d.comb += code.eq(Code.RANGE)
