"""The protocol half of an AXI4-Lite subordinate: five channels on one side, single-cycle accesses on the other."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

DATA_BITS = 32
SLVERR = 0b10


def axi4_lite_signature(address_bits: int) -> wiring.Signature:
    """The channels of an AXI4-Lite manager with 32-bit data, as flat members with their names in lower case."""
    members = {}
    for channel in ("aw", "ar"):
        members |= {
            f"{channel}addr": Out(address_bits), f"{channel}prot": Out(3),
            f"{channel}valid": Out(1), f"{channel}ready": In(1),
        }
    members |= {
        "wdata": Out(DATA_BITS), "wstrb": Out(DATA_BITS // 8), "wvalid": Out(1), "wready": In(1),
        "bresp": In(2), "bvalid": In(1), "bready": Out(1),
        "rdata": In(DATA_BITS), "rresp": In(2), "rvalid": In(1), "rready": Out(1),
    }
    return wiring.Signature(members)


class Axi4LiteSubordinate(wiring.Component):
    """Turns bus transfers into accesses: `write` (`read`) is high for one cycle, the answer is expected in that cycle.

    AW and W may come in any order and any distance; every channel is registered, every answer waits for its READY.
    A write does not wait for reads or the other way round.

    Latency: 2 cycles from the later of AW and W (from AR) to the answer. Throughput: one access every 2 cycles.

    Members: `axi`; `write`, `write_address`, `write_data`, `write_strobe`, `write_error`; `read`, `read_address`,
    `read_data`, `read_error`. Addresses are word addresses (byte address / 4). An error is answered SLVERR.
    """

    def __init__(self, *, address_bits: int):
        if not 3 <= address_bits <= 32:
            raise ValueError(f"Axi4LiteSubordinate address_bits = {address_bits!r} must be in 3..32")
        words = address_bits - 2
        super().__init__(
            {
                "axi": In(axi4_lite_signature(address_bits)),
                "write": Out(1), "write_address": Out(words), "write_data": Out(DATA_BITS),
                "write_strobe": Out(DATA_BITS // 8), "write_error": In(1),
                "read": Out(1), "read_address": Out(words), "read_data": In(DATA_BITS), "read_error": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        axi = self.axi
        aw_held = self._hold(m, "aw", self.write, [(self.write_address, axi.awaddr[2:])])
        w_held = self._hold(
            m, "w", self.write, [(self.write_data, axi.wdata), (self.write_strobe, axi.wstrb)]
        )
        m.d.comb += self.write.eq(aw_held & w_held & ~axi.bvalid)
        self._answer(m, self.write, axi.bvalid, axi.bready, [(axi.bresp, self.write_error * SLVERR)])

        ar_held = self._hold(m, "ar", self.read, [(self.read_address, axi.araddr[2:])])
        m.d.comb += self.read.eq(ar_held & ~axi.rvalid)
        answer = [(axi.rresp, self.read_error * SLVERR), (axi.rdata, self.read_data)]
        self._answer(m, self.read, axi.rvalid, axi.rready, answer)
        return m

    def _hold(self, m, channel, done, payload) -> Signal:
        """Takes one transfer of a channel and keeps it until `done`."""
        held = Signal(name=f"{channel}_held")
        valid, ready = getattr(self.axi, f"{channel}valid"), getattr(self.axi, f"{channel}ready")
        m.d.comb += ready.eq(~held)
        with m.If(valid & ready):
            m.d.sync += [held.eq(1), *(register.eq(value) for register, value in payload)]
        with m.If(done):
            m.d.sync += held.eq(0)
        return held

    def _answer(self, m, event, valid, ready, payload) -> None:
        with m.If(event):
            m.d.sync += [valid.eq(1), *(register.eq(value) for register, value in payload)]
        with m.Elif(ready):
            m.d.sync += valid.eq(0)
