"""LOAD, WEIGHTS and STORE of an engine without queues: one unit does them, one command and one beat at a time."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from compiler.encoding import Unit, length_units
from rtl import command as cmd
from rtl.delay import delayed
from rtl.in_order_fetch import region_bits
from rtl.in_order_memories import first_weight_part, in_order_ports
from rtl.in_order_scratchpad import InOrderScratchpad, load_layout, part_address_bits, step_bits
from rtl.interfaces import BEAT_BITS, Error, WriteBeat, WriteResponse
from rtl.ring import next_offset
from rtl.transfer import legal_transfer

COMMAND_BITS = length_units(Unit.LOAD) * BEAT_BITS
PIXEL_BITS = 32  # of an unpacked pixel


class Mover(wiring.Component):
    """Executes one command of LOAD, WEIGHTS or STORE after the other.

    Members: `command`, which stays until `finished`, and `command_valid`; `hold`: ask for nothing more; `in_image`: its
    region is the image; `size`: 16-byte units of that; `request`: of one, by its number; `beat`, `beat_error`,
    `beat_valid`: its answer, always taken; `load`, `store`, `store_part`: the scratchpad; `in_order_ports` with `data`:
    the weight memories; `write_asks`,
    `write_granted`: a write of unit `request.payload`; `write_data`, `write_response`: the memory side; `finished`:
    pulse per command, `unit`: its unit; `failed`, `error`: the command cannot go on; `idle`: no write is open.
    Throughput: a word in the time that one read or write takes and one cycle for each of its parts.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "command": In(COMMAND_BITS), "command_valid": In(1), "hold": In(1), "in_image": Out(1),
                "size": In(region_bits(config)),
                "request": Out(stream.Signature(region_bits(config))),
                "beat": In(BEAT_BITS), "beat_error": In(1), "beat_valid": In(1),
                "load": Out(stream.Signature(load_layout(config))),
                "store": Out(stream.Signature(part_address_bits(config))),
                "store_part": In(config.port_bytes * 8),
                "data": Out(config.port_bytes * 8),
                **in_order_ports(config),
                "write_asks": Out(1), "write_granted": In(1),
                "write_data": Out(stream.Signature(WriteBeat)),
                "write_response": In(stream.Signature(WriteResponse, always_ready=True)),
                "unit": Out(2), "finished": Out(1), "failed": Out(1), "error": Out(4), "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        c = cmd.fields(Unit.LOAD, self.command, self._config)
        weights = cmd.fields(Unit.WEIGHTS, self.command, self._config)
        self._is_weights, self._is_store = Signal(), Signal()
        m.d.comb += [
            self.unit.eq(self.command[:2]),
            self._is_weights.eq(self.unit == Unit.WEIGHTS),
            self._is_store.eq(self.unit == Unit.STORE),
            self.in_image.eq(self._is_weights),
        ]
        self._start, self._step, self._row_ends = Signal(), Signal(), Signal()
        self._last = Signal()
        self._beat_step = Signal()  # the word was the last one of its beat
        self._kept, self._fetched = Signal(), Signal()  # a part is written, is asked for
        self._part = Signal(step_bits(self._config))  # of the word
        self._part_last = self._part == self._config.port_steps - 1
        with m.If(self._start):
            m.d.sync += self._part.eq(0)
        with m.Elif(self._kept | self._fetched):
            m.d.sync += self._part.eq(self._part + 1)
        word = self._words(m, c)
        inside = self._external(m, c)
        self._weight_side(m, weights)
        self._data(m, c, word)
        self._states(m, c, weights, word, inside)
        return m

    def _words(self, m, c):
        """The scratchpad word of this step, one bit wider than an address; c: the command as a LOAD."""
        bits = self._config.size_bits
        base, offset = Signal(bits), Signal(bits)
        self._column, row, block = Signal(bits), Signal(bits), Signal(bits)
        column_last, row_last = self._column + 1 == c.width, row + 1 == c.rows
        word = Signal(bits + 1)
        m.d.comb += [
            word.eq(base + offset + self._column),
            self._row_ends.eq(column_last),
            self._last.eq(column_last & row_last & (block + 1 == c.blocks)),
        ]
        with m.If(self._start):
            m.d.sync += [
                base.eq(c.base), offset.eq(c.row_offset), self._column.eq(0), row.eq(0), block.eq(0),
            ]
        with m.Elif(self._step):
            m.d.sync += self._column.eq(self._column + 1)
            with m.If(column_last):
                m.d.sync += [self._column.eq(0), row.eq(row + 1), offset.eq(next_offset(offset, c.pitch, c.extent))]
                with m.If(row_last):
                    m.d.sync += [
                        row.eq(0), block.eq(block + 1), offset.eq(c.row_offset), base.eq(base + c.block_stride),
                    ]
        self._block_ends = column_last & row_last
        return word

    def _external(self, m, c) -> Value:
        """The place of this step's beat in its region; returns whether it lies inside."""
        bits = region_bits(self._config) + 1
        place, block = Signal(bits), Signal(bits)
        m.d.comb += self.request.payload.eq(place)
        with m.If(self._start):
            m.d.sync += [place.eq(c.address[4:]), block.eq(c.address[4:])]
        with m.Elif(self._beat_step):
            m.d.sync += place.eq(place + 1)
            with m.If(self._block_ends & ~self._is_weights):
                following = block + c.external_block_stride[4:]
                m.d.sync += [place.eq(following), block.eq(following)]
        return place < self.size

    def _weight_side(self, m, c) -> None:
        """Where a part goes in the weight or parameter memory; c: the command as WEIGHTS."""
        config = self._config
        done, row = Signal(len(c.length)), Signal.like(self.parameter_row)
        unit = Signal(range(config.parameter_row_bytes // 16 + 1))
        self._weights_last = done + 1 == c.length
        m.d.comb += [
            self.weight_part.eq(first_weight_part(c.row, config) + Cat(self._part, done)),
            self.parameter_row.eq(c.row + row),
            self.parameter_part.eq(Cat(self._part, unit)),
        ]
        with m.If(self._start):
            m.d.sync += [done.eq(0), unit.eq(0), row.eq(0)]
        with m.Elif(self._is_weights & self._beat_step):
            m.d.sync += [done.eq(done + 1), unit.eq(unit + 1)]
            with m.If(unit + 1 == config.parameter_row_bytes // 16):
                m.d.sync += [unit.eq(0), row.eq(row + 1)]

    def _data(self, m, c, word) -> None:
        """The one beat under way: read for LOAD and WEIGHTS, to be written for STORE.

        It moves down part by part, or pixel by pixel: the parts of a word above an unpacked pixel are 0.
        """
        bits = self._config.port_bytes * 8
        beat = Signal(BEAT_BITS, reset_less=True)
        arrives = delayed(m, self._fetched, InOrderScratchpad.read_latency, name="arrives")
        self._word_arrives = arrives & (self._part == 0)  # its last part
        unpacks = c.unpack & ~self._is_weights
        pixel = Cat((~unpacks | (self._part == 0)).replicate(PIXEL_BITS), (~unpacks).replicate(bits - PIXEL_BITS))
        following = Cat(beat, self.store_part)[bits:]
        with m.If(self.beat_valid):
            m.d.sync += beat.eq(self.beat)
        with m.Elif(arrives | (self._kept & ~unpacks)):
            m.d.sync += beat.eq(following)
        with m.Elif(self._kept & (self._part == 0)):
            m.d.sync += beat.eq(beat[PIXEL_BITS:] if bits > PIXEL_BITS else following)
        m.d.comb += [
            self._fetched.eq(self.store.valid & self.store.ready),
            self.data.eq(beat),
            self.load.payload.data.eq(beat & pixel),
            self.load.payload.address.eq(Cat(self._part, word)),
            self.store.payload.eq(Cat(self._part, word)),
            self.write_data.payload.data.eq(beat),
            self.write_data.payload.last.eq(1),
        ]

    def _fail(self, m, error: Error) -> None:
        m.d.comb += [self.failed.eq(1), self.error.eq(error)]

    def _states(self, m, c, weights, word, inside) -> None:
        """IDLE, then for each beat ASK, ANSWER, KEEP (read) or FETCH, SEND, CONFIRM (write)."""
        legal = Mux(self._is_weights, (weights.length != 0) & (weights.address[:4] == 0), legal_transfer(c))
        in_range = self._is_weights | (word < self._config.scratchpad_words)
        m.d.comb += [
            self._beat_step.eq(self._step & (~c.unpack | self._is_store | (self._column[:2] == 3) | self._row_ends)),
        ]
        with m.FSM() as fsm:
            with m.State("IDLE"):
                with m.If(self.command_valid):
                    m.d.comb += self._start.eq(1)
                    m.next = "ASK"
                    with m.If(~legal):
                        self._fail(m, Error.FIELD)
            with m.State("ASK"):
                with m.If(~inside):
                    self._fail(m, Error.REGION)
                with m.Elif(~in_range):
                    self._fail(m, Error.SCRATCHPAD)
                with m.Elif(self._is_store):
                    m.d.comb += self.store.valid.eq(~self.hold)
                    with m.If(self._fetched & self._part_last):
                        m.next = "FETCH"
                with m.Else():
                    m.d.comb += self.request.valid.eq(~self.hold)
                    with m.If(self.request.valid & self.request.ready):
                        m.next = "ANSWER"
            with m.State("ANSWER"):
                with m.If(self.beat_valid):
                    m.next = "KEEP"
                    with m.If(self.beat_error):
                        self._fail(m, Error.READ_BUS)
            with m.State("KEEP"):
                self._keep(m, c, in_range)
            with m.State("FETCH"):
                with m.If(self._word_arrives):
                    m.next = "SEND"
            with m.State("SEND"):
                self._send(m)
            with m.State("CONFIRM"):
                with m.If(self.write_response.valid):
                    m.d.comb += [self._step.eq(1), self.finished.eq(self._last)]
                    m.next = "ASK"
                    with m.If(self._last):
                        m.next = "IDLE"
                    with m.If(self.write_response.payload.error):
                        self._fail(m, Error.WRITE_BUS)
            m.d.comb += self.idle.eq(~fsm.ongoing("SEND") & ~fsm.ongoing("CONFIRM"))

    def _keep(self, m, c, in_range) -> None:
        """The beat goes into its memory, part by part, the four pixels of a packed one a word each."""
        with m.If(self._is_weights):
            parameters = cmd.fields(Unit.WEIGHTS, self.command).parameters
            m.d.comb += [
                self.weight_enable.eq(~parameters), self.parameter_enable.eq(parameters),
                self._kept.eq(1), self._beat_step.eq(self._part_last),
                self.finished.eq(self._part_last & self._weights_last),
            ]
        with m.Elif(~in_range):
            self._fail(m, Error.SCRATCHPAD)
        with m.Else():
            m.d.comb += [
                self.load.valid.eq(1),
                self._kept.eq(self.load.ready), self._step.eq(self._kept & self._part_last),
                self.finished.eq(self._step & self._last),
            ]
        with m.If(self._beat_step):
            m.next = "ASK"
        with m.If(self.finished):
            m.next = "IDLE"

    def _send(self, m) -> None:
        """Address and data go on their own; both have gone before the answer counts."""
        asked, given = Signal(), Signal()
        m.d.comb += [self.write_asks.eq(~asked), self.write_data.valid.eq(~given)]
        request_goes, data_goes = asked | self.write_granted, given | self.write_data.ready
        m.d.sync += [asked.eq(request_goes & ~data_goes), given.eq(data_goes & ~request_goes)]
        with m.If(request_goes & data_goes):
            m.next = "CONFIRM"
