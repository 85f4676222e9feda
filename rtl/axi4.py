"""The memory side of the engine as an AXI4 master."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.interfaces import BEAT_BITS, Memory, WriteBeat
from rtl.skid_buffer import SkidBuffer

ADDRESS_BITS = 32
INCREMENTING = 0b01
BUFFERABLE = 0b0011  # AxCACHE: normal memory, not cacheable
BUS_BYTES = (8, 16)


def axi4_signature(bus_bytes: int) -> wiring.Signature:
    """The five channels of an AXI4 master with one ID (0), as flat members with their names in lower case."""
    bits = bus_bytes * 8
    members = {}
    for channel in ("aw", "ar"):
        members |= {
            f"{channel}id": Out(1),
            f"{channel}addr": Out(ADDRESS_BITS),
            f"{channel}len": Out(8),
            f"{channel}size": Out(3),
            f"{channel}burst": Out(2),
            f"{channel}lock": Out(1),
            f"{channel}cache": Out(4),
            f"{channel}prot": Out(3),
            f"{channel}qos": Out(4),
            f"{channel}valid": Out(1),
            f"{channel}ready": In(1),
        }
    members |= {
        "wdata": Out(bits), "wstrb": Out(bus_bytes), "wlast": Out(1), "wvalid": Out(1), "wready": In(1),
        "bid": In(1), "bresp": In(2), "bvalid": In(1), "bready": Out(1),
        "rid": In(1), "rdata": In(bits), "rresp": In(2), "rlast": In(1), "rvalid": In(1), "rready": Out(1),
    }
    return wiring.Signature(members)


class Axi4Adaptor(wiring.Component):
    """Memory-side bursts to AXI4 bursts, one to one: ID 0, INCR, full bus width, all strobes set.

    A request never crosses 256 bytes, so it is at most 16 beats of 128 or 32 beats of 64 bits and never crosses 4 KB.
    AR, AW and W are registered, independent of each other and never withdraw VALID; nothing limits how many
    requests are outstanding. On a 64-bit bus the less significant half of a beat is the first of two.

    Latency: 1 cycle on AR, AW and W; none on R and B. Throughput: one bus beat per cycle and channel.

    Parameters: bus_bytes: 8 or 16.

    Members: `memory` (rtl/interfaces.py), whose ReadBeat.error and WriteResponse.error are RRESP and BRESP being
    SLVERR or DECERR (on a 64-bit bus, of either half); `axi`: the signals of `axi4_signature`. RLAST, RID and BID are
    not looked at: with one ID the answers come in order, and the engine counts beats.
    """

    def __init__(self, *, bus_bytes: int):
        if bus_bytes not in BUS_BYTES:
            raise ValueError(f"Axi4Adaptor bus_bytes = {bus_bytes!r} must be one of {BUS_BYTES}")
        self._bus_bytes = bus_bytes
        self._second_write, self._second_read = Signal(), Signal()  # which half of a beat is next on a narrow bus
        self._first_failed = Signal(reset_less=True)
        super().__init__({"memory": In(Memory), "axi": Out(axi4_signature(bus_bytes))})

    def elaborate(self, platform):
        m = Module()
        self._address(m, self.memory.read_request, "ar")
        self._address(m, self.memory.write_request, "aw")
        if self._bus_bytes * 8 == BEAT_BITS:
            self._write_data(m)
            self._read_data(m)
        else:
            self._write_halves(m)
            self._read_halves(m)
        m.d.comb += [
            self.axi.bready.eq(1),
            self.memory.write_response.valid.eq(self.axi.bvalid),
            self.memory.write_response.payload.error.eq(self.axi.bresp[1]),
        ]
        return m

    def _address(self, m, request, channel) -> None:
        """AR or AW: a request register."""
        axi = self.axi
        valid, ready = getattr(axi, f"{channel}valid"), getattr(axi, f"{channel}ready")
        address = Signal(ADDRESS_BITS, name=f"{channel}_address", reset_less=True)
        length = Signal(4, name=f"{channel}_length", reset_less=True)
        m.d.comb += request.ready.eq(~valid | ready)
        with m.If(request.ready):
            m.d.sync += [valid.eq(request.valid), address.eq(request.payload.address)]
            m.d.sync += length.eq(request.payload.length)
        beats = length if self._bus_bytes * 8 == BEAT_BITS else Cat(Const(1, 1), length)
        m.d.comb += [
            getattr(axi, f"{channel}addr").eq(address),
            getattr(axi, f"{channel}len").eq(beats),
            getattr(axi, f"{channel}size").eq(self._bus_bytes.bit_length() - 1),
            getattr(axi, f"{channel}burst").eq(INCREMENTING),
            getattr(axi, f"{channel}cache").eq(BUFFERABLE),
        ]

    def _write_data(self, m) -> None:
        """W through a skid buffer: READY of `memory` does not wait for WREADY."""
        axi = self.axi
        m.submodules.write_beats = beats = SkidBuffer(WriteBeat)
        wiring.connect(m, wiring.flipped(self.memory.write_data), beats.i)
        m.d.comb += [
            axi.wvalid.eq(beats.o.valid),
            axi.wdata.eq(beats.o.payload.data),
            axi.wlast.eq(beats.o.payload.last),
            beats.o.ready.eq(axi.wready),
            axi.wstrb.eq(~0),
        ]

    def _write_halves(self, m) -> None:
        """W on a narrow bus: the first half leaves the beat where it is, the second takes it."""
        axi, beat = self.axi, self.memory.write_data
        second, free = self._second_write, Signal()
        m.d.comb += [free.eq(~axi.wvalid | axi.wready), beat.ready.eq(free & second), axi.wstrb.eq(~0)]
        half = self._bus_bytes * 8
        with m.If(free):
            m.d.sync += [
                axi.wvalid.eq(beat.valid),
                axi.wdata.eq(Mux(second, beat.payload.data[half:], beat.payload.data[:half])),
                axi.wlast.eq(beat.payload.last & second),
                second.eq(second ^ beat.valid),
            ]

    def _read_data(self, m) -> None:
        axi, beat = self.axi, self.memory.read_data
        m.d.comb += [
            beat.valid.eq(axi.rvalid),
            beat.payload.data.eq(axi.rdata),
            beat.payload.error.eq(axi.rresp[1]),
            axi.rready.eq(beat.ready),
        ]

    def _read_halves(self, m) -> None:
        """R on a narrow bus: the first half waits in a register for the second."""
        axi, beat = self.axi, self.memory.read_data
        second, error = self._second_read, self._first_failed
        first = Signal(self._bus_bytes * 8, reset_less=True)
        with m.If(axi.rvalid & axi.rready):
            m.d.sync += second.eq(~second)
        with m.If(~second):
            m.d.sync += [first.eq(axi.rdata), error.eq(axi.rresp[1])]
        m.d.comb += [
            beat.valid.eq(axi.rvalid & second),
            beat.payload.data.eq(Cat(first, axi.rdata)),
            beat.payload.error.eq(error | axi.rresp[1]),
            axi.rready.eq(beat.ready | ~second),
        ]
