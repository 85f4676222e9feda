"""The FIFO of the engine: like amaranth's SyncFIFOBuffered, with what both of its ends wait for in registers."""

from amaranth.hdl import Elaboratable, Module, Mux, Signal
from amaranth.lib import fifo
from amaranth.lib.memory import Memory

from rtl.bank import UNORDERED

#: What synthesis is told of a queue's memory (`EngineConfig.queue_memory`); a place is never read while it is written.
ATTRIBUTES = {"distributed": UNORDERED, "block": UNORDERED | {"ram_style": "block"}}


class Queue(fifo.FIFOInterface, Elaboratable):
    """`depth` entries of `width` bits, all but the first of them in `memory`; at least 2.

    Members: those of amaranth.lib.fifo.FIFOInterface, `level` and `empty`; `w_rdy` and `r_rdy` are registers.
    never_full: the user writes only where there is room. Latency: 2 cycles, wherever the entries lie; throughput: one
    entry per cycle. In block RAM `r_data` comes late in a cycle: what follows should be a register.
    """

    def __init__(self, *, width: int, depth: int, memory: str = "distributed", never_full: bool = False):
        self._memory, self._places, self._never_full = memory, depth - 1, never_full
        self._some = Signal()  # the memory has an entry
        self.level = Signal(range(depth + 1))
        self.empty = Signal()
        super().__init__(width=width, depth=depth)

    def elaborate(self, platform):
        m = Module()
        m.submodules.storage = storage = Memory(
            shape=self.width, depth=self._places, init=[], attrs=ATTRIBUTES[self._memory]
        )
        write, read = storage.write_port(), storage.read_port()
        stored = Signal(range(self._places + 1))
        some, room = self._some, Signal(init=1)
        m.d.comb += [
            self.w_rdy.eq(room),
            write.en.eq(self.w_en if self._never_full else self.w_en & room),
            write.data.eq(self.w_data),
            read.en.eq(some & (~self.r_rdy | self.r_en)),
            self.r_data.eq(read.data),
            self.level.eq(stored + self.r_rdy),
            self.empty.eq(~some & ~self.r_rdy),
            self.w_level.eq(self.level),
            self.r_level.eq(self.level),
        ]
        for port in (write, read):
            with m.If(port.en):
                m.d.sync += port.addr.eq(Mux(port.addr == self._places - 1, 0, port.addr + 1))
        with m.If(write.en & ~read.en):
            m.d.sync += [stored.eq(stored + 1), some.eq(1), room.eq(stored != self._places - 1)]
        with m.Elif(read.en & ~write.en):
            m.d.sync += [stored.eq(stored - 1), some.eq(stored != 1), room.eq(1)]
        m.d.sync += self.r_rdy.eq(read.en | (self.r_rdy & ~self.r_en))
        return m
