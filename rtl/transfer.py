"""The way of a LOAD or STORE command through its rows: one external walk and one scratchpad walk, row by row."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.interfaces import BURST_BEATS
from rtl.ring import next_offset
from rtl.scratchpad import ADDRESS_BITS


def legal_transfer(command):
    """Whether every field of a LOAD or STORE command is within the range of docs/commands.md."""
    counts = (command.rows != 0) & (command.width != 0) & (command.blocks != 0)
    aligned = (command.address[:4] == 0) & (command.external_block_stride[:4] == 0)
    return counts & aligned


class RowJob(data.Struct):
    """The scratchpad side of a LOAD or STORE command (docs/engine.md, "Memories"); `number` is the command's."""

    base: unsigned(16)
    block_stride: unsigned(16)
    pitch: unsigned(16)
    extent: unsigned(16)
    row_offset: unsigned(16)
    rows: unsigned(16)
    width: unsigned(16)
    blocks: unsigned(16)
    unpack: unsigned(1)
    number: unsigned(16)

    @classmethod
    def from_command(cls, command, number) -> dict:
        """The job's fields, from the views of a LOAD or STORE command."""
        names = ("base", "block_stride", "pitch", "extent", "row_offset", "rows", "width", "blocks")
        job = {name: getattr(command, name) for name in names}
        return job | {"unpack": getattr(command, "unpack", 0), "number": number}


class WordWalk(wiring.Component):
    """Walks the scratchpad words of a job: block, row, column.

    Members: `i` stream of RowJob (accepted when idle, or with the last word of the one before); `address`, `valid`,
    `last_in_row`, `last`, `column` describe the
    current word; `step` moves on. Throughput: one word per cycle; one idle cycle between jobs.
    """

    i: In(stream.Signature(RowJob))
    address: Out(ADDRESS_BITS + 1)
    column: Out(16)
    number: Out(16)
    unpack: Out(1)
    valid: Out(1)
    last_in_row: Out(1)
    last: Out(1)
    step: In(1)

    def elaborate(self, platform):
        m = Module()
        job = Signal(RowJob)
        block_base, row_offset = Signal(16), Signal(16)
        row, block, column = Signal(16), Signal(16), Signal(16)
        m.d.comb += [
            self.i.ready.eq(~self.valid),
            self.address.eq(block_base + row_offset + column),
            self.column.eq(column),
            self.number.eq(job.number),
            self.unpack.eq(job.unpack),
            self.last_in_row.eq(column + 1 == job.width),
            self.last.eq(self.last_in_row & (row + 1 == job.rows) & (block + 1 == job.blocks)),
        ]
        with m.If(~self.valid & self.i.valid):
            m.d.sync += [
                job.eq(self.i.payload),
                self.valid.eq(1),
                block_base.eq(self.i.payload.base),
                row_offset.eq(self.i.payload.row_offset),
                row.eq(0),
                block.eq(0),
                column.eq(0),
            ]
        with m.Elif(self.step):
            m.d.sync += column.eq(column + 1)
            with m.If(self.last_in_row):
                m.d.sync += [column.eq(0), row.eq(row + 1)]
                m.d.sync += row_offset.eq(next_offset(row_offset, job.pitch, job.extent))
                with m.If(row + 1 == job.rows):
                    m.d.sync += [row.eq(0), block.eq(block + 1), row_offset.eq(job.row_offset)]
                    m.d.sync += block_base.eq(block_base + job.block_stride)
            with m.If(self.last):
                m.d.sync += self.valid.eq(0)
        return m


class Contiguous(data.Struct):
    """Repeated contiguous external reads: `count` runs of `units` 16-byte units, `stride` bytes apart."""

    address: unsigned(33)  # absolute byte address of the first run
    stride: unsigned(32)
    units: unsigned(32)
    count: unsigned(16)
    number: unsigned(16)


class BurstRequest(data.Struct):
    """One burst: absolute address (33 bits, so that overflow is seen), beats - 1, number of its command."""

    address: unsigned(33)
    length: unsigned(4)
    number: unsigned(16)


class BurstSplitter(wiring.Component):
    """Cuts contiguous runs into bursts of at most 256 bytes that never cross a 256-byte boundary.

    Members: `i` stream of Contiguous, `o` stream of BurstRequest. Throughput: one burst per cycle.
    """

    i: In(stream.Signature(Contiguous))
    o: Out(stream.Signature(BurstRequest))

    def elaborate(self, platform):
        m = Module()
        address = Signal(33)
        units = Signal(32)  # still to ask for in this run
        run = Signal(33)  # where this run begins
        run_units = Signal(32)
        remaining = Signal(16)  # runs, this one included
        stride = Signal(32)
        number = Signal(16)
        busy = Signal()
        to_boundary = Signal(range(BURST_BEATS + 1))
        beats = Signal(range(BURST_BEATS + 1))
        m.d.comb += [
            to_boundary.eq(BURST_BEATS - address[4:8]),
            beats.eq(Mux(units < to_boundary, units, to_boundary)),
            self.i.ready.eq(~busy),
            self.o.valid.eq(busy),
            self.o.payload.address.eq(address),
            self.o.payload.length.eq(beats - 1),
            self.o.payload.number.eq(number),
        ]
        new = self.i.payload
        with m.If(~busy & self.i.valid):
            m.d.sync += [
                busy.eq(1),
                address.eq(new.address),
                run.eq(new.address),
                units.eq(new.units),
                run_units.eq(new.units),
                stride.eq(new.stride),
                remaining.eq(new.count),
                number.eq(new.number),
            ]
        with m.Elif(busy & self.o.ready):
            m.d.sync += [address.eq(address + (beats << 4)), units.eq(units - beats)]
            with m.If(beats == units):
                m.d.sync += [
                    remaining.eq(remaining - 1),
                    units.eq(run_units),
                    run.eq(run + stride),
                    address.eq(run + stride),
                    busy.eq(remaining != 1),
                ]
        return m
