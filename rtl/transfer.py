"""The way of a LOAD or STORE command through its rows: one external walk and one scratchpad walk, row by row."""

from amaranth.hdl import Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.interfaces import BURST_BEATS
from rtl.ring import following_offset
from rtl.scratchpad import ADDRESS_BITS


def legal_transfer(command):
    """Whether every field of a LOAD or STORE command is within the range of docs/commands.md."""
    counts = (command.rows != 0) & (command.width != 0) & (command.blocks != 0)
    aligned = (command.address[:4] == 0) & (command.external_block_stride[:4] == 0)
    return counts & aligned


class RowJob(data.Struct):
    """The scratchpad side of a LOAD or STORE command (docs/engine.md, "Memories"); `number` is the command's.

    last_offset: of the ring's last row, extent - pitch.
    """

    base: unsigned(16)
    block_stride: unsigned(16)
    pitch: unsigned(16)
    last_offset: unsigned(16)
    row_offset: unsigned(16)
    rows: unsigned(16)
    width: unsigned(16)
    blocks: unsigned(16)
    unpack: unsigned(1)
    number: unsigned(16)

    @classmethod
    def from_command(cls, m: Module, command, number) -> dict:
        """The job's fields, from the views of a LOAD or STORE command that is there a cycle before it is valid."""
        last_offset = Signal(16)
        m.d.sync += last_offset.eq(command.extent - command.pitch)
        names = ("base", "block_stride", "pitch", "row_offset", "rows", "width", "blocks")
        job = {name: getattr(command, name) for name in names}
        return job | {"last_offset": last_offset, "unpack": getattr(command, "unpack", 0), "number": number}


class WordWalk(wiring.Component):
    """Walks the scratchpad words of a job: block, row, column.

    Members: `i` stream of RowJob (accepted when idle); `address`, `valid`, `last_in_row`, `last_in_block`, `last`,
    `quarter` (the word's column mod 4), `last_in_beat` (of 16 external bytes, which are four pixels with `unpack`),
    `number` and `unpack` describe the current word; `step` moves on. All of them come from registers: what follows a
    word is worked out beside it. Throughput: one word per cycle; one idle cycle between jobs.
    """

    i: In(stream.Signature(RowJob))
    address: Out(ADDRESS_BITS + 1)
    quarter: Out(2)
    last_in_beat: Out(1)
    number: Out(16)
    unpack: Out(1)
    valid: Out(1)
    last_in_row: Out(1)
    last_in_block: Out(1)
    last: Out(1)
    step: In(1)

    def elaborate(self, platform):
        m = Module()
        job = Signal(RowJob, reset_less=True)
        block_base = Signal(16, reset_less=True)
        following = Signal(16, reset_less=True)  # offset of the row after this one
        last_row, last_block = Signal(), Signal()
        width_left = Signal(16, reset_less=True)  # words of this row, with the one in hand
        rows_left = Signal(16, reset_less=True)
        blocks_left = Signal(16, reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~self.valid),
            self.number.eq(job.number),
            self.unpack.eq(job.unpack),
            self.last_in_block.eq(self.last_in_row & last_row),
            self.last.eq(self.last_in_block & last_block),
        ]

        new = self.i.payload
        starts, row_ends = Signal(), Signal()
        base, offset = Signal(16), Signal(16)  # of the row that begins
        m.d.comb += [
            starts.eq(~self.valid & self.i.valid),
            row_ends.eq(self.step & self.last_in_row),
            base.eq(Mux(~self.valid, new.base, Mux(last_row, block_base + job.block_stride, block_base))),
            offset.eq(Mux(~self.valid, new.row_offset, Mux(last_row, job.row_offset, following))),
        ]
        with m.If(starts | row_ends):
            ring = Mux(self.valid, job.pitch, new.pitch), Mux(self.valid, job.last_offset, new.last_offset)
            m.d.sync += [self.address.eq(base + offset), self.quarter.eq(0), block_base.eq(base)]
            one_word = Mux(self.valid, job.width, new.width) == 1
            m.d.sync += self.last_in_beat.eq(~Mux(self.valid, job.unpack, new.unpack) | one_word)
            m.d.sync += following.eq(following_offset(offset, *ring))
        with m.Elif(self.step):
            m.d.sync += [self.address.eq(self.address + 1), self.quarter.eq(self.quarter + 1)]
            m.d.sync += self.last_in_beat.eq(~job.unpack | (self.quarter == 2) | (width_left == 2))
        with m.If(starts):
            m.d.sync += [job.eq(new), self.valid.eq(1)]
        with m.Elif(self.step & self.last):
            m.d.sync += self.valid.eq(0)
        for name, left, last, goes, ends in (
            ("width", width_left, self.last_in_row, self.step, row_ends),
            ("rows", rows_left, last_row, row_ends, row_ends & last_row),
            ("blocks", blocks_left, last_block, row_ends & last_row, 0),
        ):
            whole = Mux(self.valid, job[name], new[name])
            with m.If(starts | ends):
                m.d.sync += [left.eq(whole), last.eq(whole == 1)]
            with m.Elif(goes):
                m.d.sync += [left.eq(left - 1), last.eq(left == 2)]
        return m


#: Of an external address in units of 16 bytes, one more than an address needs: beyond the memory is seen.
UNIT_BITS = 29


class Contiguous(data.Struct):
    """Repeated contiguous external reads: `count` runs of `units` 16-byte units, `stride` bytes apart."""

    address: unsigned(33)  # absolute byte address of the first run
    stride: unsigned(20)
    units: unsigned(20)
    count: unsigned(16)
    number: unsigned(16)


class BurstRequest(data.Struct):
    """One burst: absolute address (33 bits, so that overflow is seen), beats - 1, number of its command.

    inside: it ends within its region.
    """

    address: unsigned(33)
    length: unsigned(4)
    number: unsigned(16)
    inside: unsigned(1)


class BurstSplitter(wiring.Component):
    """Cuts contiguous runs into bursts of at most 256 bytes that never cross a 256-byte boundary.

    Inside it counts in units of 16 bytes, of which addresses and strides are multiples.

    Members: `i` stream of Contiguous, `o` stream of BurstRequest, from registers; `limit`: absolute end of the region,
    constant while bursts are asked for. repeated: jobs may have more than one run. Latency: 2 cycles; throughput: a
    burst every second cycle.
    """

    i: In(stream.Signature(Contiguous))
    o: Out(stream.Signature(BurstRequest))
    limit: In(33)

    def __init__(self, *, repeated: bool = True):
        self._repeated = repeated
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        address = Signal(UNIT_BITS, reset_less=True)
        left = Signal(signed(30), reset_less=True)  # units from there to the end of the region
        units = Signal(20, reset_less=True)  # still to ask for in this run
        next_run = Signal(UNIT_BITS, reset_less=True)  # where the run after this one begins
        run_units = Signal(20, reset_less=True)
        remaining = Signal(16, reset_less=True)  # runs, this one included
        stride = Signal(16, reset_less=True)
        number = Signal(16, reset_less=True)
        busy = Signal()
        ends = Signal()  # the burst in hand is the last of its run
        to_boundary = Signal(range(BURST_BEATS + 1))
        beats = Signal(range(BURST_BEATS + 1))
        step, begins = Signal(), Signal()
        m.d.comb += [
            to_boundary.eq(BURST_BEATS - address[:4]),
            beats.eq(Mux(ends, units, to_boundary)),
            self.i.ready.eq(~busy),
            step.eq(busy & ~self.o.valid),
            begins.eq(Mux(busy, step & ends, self.i.valid)),
        ]
        burst = self.o.payload
        with m.If(step):
            m.d.sync += [
                burst.address.eq(address << 4),
                burst.length.eq(beats - 1),
                burst.number.eq(number),
                burst.inside.eq((left >= units) | (left >= to_boundary)),
                self.o.valid.eq(1),
                address.eq(address + to_boundary),  # of a burst that does not end its run
                left.eq(left - to_boundary),
                units.eq(units - to_boundary),
                ends.eq(units <= BURST_BEATS + to_boundary),  # the next burst begins at a boundary
            ]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        new = self.i.payload
        first, again = ~busy & self.i.valid, busy & Const(self._repeated)
        target = Mux(again, next_run, new.address[4:])  # where a run begins
        target_units = Mux(again, run_units, new.units)
        with m.If(first | (again & begins)):
            m.d.sync += [
                address.eq(target),
                left.eq(self.limit[4:] - target),
                next_run.eq(target + Mux(again, stride, new.stride[4:])),
                units.eq(target_units),
                ends.eq(target_units <= BURST_BEATS - target[:4]),
                remaining.eq(Mux(again, remaining - 1, new.count)),
            ]
        with m.If(begins):
            m.d.sync += busy.eq(~busy | (again & (remaining != 1)))
        with m.If(first):
            m.d.sync += [run_units.eq(new.units), stride.eq(new.stride[4:]), number.eq(new.number)]
        return m
