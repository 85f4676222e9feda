"""Flags and escapes of the link in hardware (RFC 1662, section 4.2): bytes of the line to bytes of frames and back."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from board.protocol import ESCAPE, ESCAPE_FLIP, FLAG


class Deframer(wiring.Component):
    """Takes flags and escapes out of received bytes, without delay.

    Members: `line_data`, `line_valid`: received bytes; `data`, `valid`: bytes inside a frame; `flag`: a flag came;
    `aborted`, with `flag`: right after an escape, so what stands before it is no frame.
    """

    def __init__(self):
        super().__init__(
            {
                "line_data": In(8), "line_valid": In(1),
                "data": Out(8), "valid": Out(1), "flag": Out(1), "aborted": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        escaped, is_escape = Signal(), Signal()
        m.d.comb += [
            is_escape.eq(self.line_data == ESCAPE),
            self.flag.eq(self.line_valid & (self.line_data == FLAG)),
            self.aborted.eq(escaped),
            self.data.eq(Mux(escaped, self.line_data ^ ESCAPE_FLIP, self.line_data)),
            self.valid.eq(self.line_valid & ~self.flag & ~is_escape),
        ]
        with m.If(self.line_valid):
            m.d.sync += escaped.eq(is_escape)
        return m


class FrameByte(data.Struct):
    """A byte of a frame, or a flag (`data` is ignored then)."""

    data: unsigned(8)
    flag: unsigned(1)


class Framer(wiring.Component):
    """Puts flags and escapes into the bytes to be sent.

    Members: `i`: stream of FrameByte; `o`: stream of bytes for the line. A byte that needs an escape leaves as two.
    """

    def __init__(self):
        super().__init__({"i": In(stream.Signature(FrameByte)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        escaped, needs = Signal(), Signal()
        byte = self.i.payload.data
        m.d.comb += [
            needs.eq(~self.i.payload.flag & ((byte == FLAG) | (byte == ESCAPE))),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready & (~needs | escaped)),
        ]
        with m.If(self.i.payload.flag):
            m.d.comb += self.o.payload.eq(FLAG)
        with m.Elif(needs & ~escaped):
            m.d.comb += self.o.payload.eq(ESCAPE)
        with m.Else():
            m.d.comb += self.o.payload.eq(Mux(escaped, byte ^ ESCAPE_FLIP, byte))
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += escaped.eq(needs & ~escaped)
        return m
