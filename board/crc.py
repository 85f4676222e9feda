"""CRC-32 of the link (ISO-HDLC, as zlib.crc32), one bit per cycle: 40 logic cells where a byte per cycle takes 140."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

POLYNOMIAL = 0xEDB88320  # reflected
RESIDUE = 0xDEBB20E3  # of bytes that their own CRC follows, reflected
CRC_BITS, BYTE_BITS = 32, 8
BYTE_CYCLES = BYTE_BITS + 1  # from one byte to the next


class SerialCrc(wiring.Component):
    """Members: `start`: forget all bytes; `data`, `valid`: a byte, at least `BYTE_CYCLES` after the one before;
    `crc`, `match_detected`: the value of all bytes, and whether it ends with its own CRC, `BYTE_CYCLES` after the last.
    A byte in the cycle of `start` is not counted.
    """

    def __init__(self):
        super().__init__(
            {"start": In(1), "data": In(BYTE_BITS), "valid": In(1), "crc": Out(CRC_BITS), "match_detected": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        state, byte = Signal(CRC_BITS, init=-1), Signal(BYTE_BITS)
        left = Signal(range(BYTE_BITS + 1))
        m.d.comb += [self.crc.eq(~state), self.match_detected.eq(state == RESIDUE)]
        feedback = state[0] ^ byte[0]
        with m.If(self.start):
            m.d.sync += [state.eq(-1), left.eq(0)]
        with m.Elif(self.valid):
            m.d.sync += [byte.eq(self.data), left.eq(BYTE_BITS)]
        with m.Elif(left != 0):
            m.d.sync += [
                state.eq(Cat(state[1:], 0) ^ Mux(feedback, POLYNOMIAL, 0)),
                byte.eq(byte >> 1),
                left.eq(left - 1),
            ]
        return m
