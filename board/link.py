"""The device side of the link (docs/link.md): takes undamaged requests from a UART, executes each once, answers."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from board.access import ByteBus
from board.crc import SerialCrc
from board.framing import Deframer, Framer
from board.protocol import ANSWER, CHECK_BYTES, DATA_MAX, HEADER_BYTES, SESSION_BITS, Code, Operation
from board.request import Header, Request
from board.uart import UartReceiver, UartTransmitter

LEAST, MOST = HEADER_BYTES + CHECK_BYTES, HEADER_BYTES + DATA_MAX + CHECK_BYTES


class Link(wiring.Component):
    """A request is kept whole and checked before anything is done. While one is executed and answered, nothing is
    received. The states: RECEIVE -> CHECK -> (NEXT -> WRITE) or READ -> BEGIN -> HEADER -> DATA -> (SEND ->
    READ) -> CRC -> END.

    Throughput: a few cycles per byte besides those on the line.

    Parameters: divisor: clock cycles per bit, 4..65535.  memory_bytes: a power of two in 256..2^24.

    Members: `rx`, `tx`: the lines; `bus` (board/access.py); `busy`: the memory is not to be touched.
    """

    def __init__(self, *, divisor: int, memory_bytes: int):
        self._divisor = divisor
        self._request = Request(memory_bytes=memory_bytes)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "bus": Out(ByteBus), "busy": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = self._receiver = UartReceiver(divisor=self._divisor)
        m.submodules.deframer = self._deframer = Deframer()
        m.submodules.framer = self._framer = Framer()
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=self._divisor)
        m.submodules.check = self._check = SerialCrc()
        m.submodules.buffer = buffer = Memory(shape=8, depth=DATA_MAX, init=[])
        self._write, self._read = buffer.write_port(), buffer.read_port()
        wiring.connect(m, self._framer.o, transmitter.i)
        m.d.comb += [
            self._receiver.line.eq(self.rx), self.tx.eq(transmitter.line),
            self._deframer.line_data.eq(self._receiver.data), self._deframer.line_valid.eq(self._receiver.valid),
        ]
        self._header, self._header_bits = Signal(Header), Signal(Header.as_shape().size)
        m.d.comb += self._header.as_value().eq(self._header_bits)
        self._place = Signal(range(MOST + 1))  # of the byte at hand, within the frame or its data
        self._code, self._opened = Signal(Code), Signal()
        self._session, self._sequence = Signal(SESSION_BITS), Signal(8)
        self._last_code, self._data = Signal(Code), Signal(8)
        self._begin_access(m)
        self._begin_buffer(m)
        session = self._new_session(m)
        with m.FSM():
            self._receive(m)
            self._decide(m, session)
            self._execute(m)
            self._answer(m)
        return m

    def _begin_access(self, m) -> None:
        """The byte at hand on the bus; a frame never crosses a multiple of 256, so only low address bits count."""
        access, header = self.bus.access, self._header
        low = Signal(8)
        m.d.comb += [
            low.eq(header.address[:8] + self._place[:8]),
            access.address.eq(Cat(low, header.address[8:])), access.data.eq(self._read.data),
            self._read.addr.eq(self._place), self._read.en.eq(1),
        ]
        m.submodules.request = request = self._request
        self._writes, self._reads, self._last = request.writes, request.reads, Signal()
        m.d.comb += [
            request.header.eq(header), request.carried.eq(self._place - LEAST), request.busy.eq(self.busy),
            access.space.eq(request.space),
            self._last.eq(self._place[:8] == header.length),
        ]

    def _begin_buffer(self, m) -> None:
        """Data of the frame being received goes to the buffer; `lost`: it misses a byte."""
        place = self._place
        self._lost, self._taken = Signal(init=1), Signal()
        m.d.comb += [
            self._write.addr.eq(place - HEADER_BYTES), self._write.data.eq(self._deframer.data),
            self._write.en.eq(self._taken & (place >= HEADER_BYTES) & (place < HEADER_BYTES + DATA_MAX)),
        ]

    def _receive(self, m) -> None:
        """Fills header and buffer; what follows a lost byte is dropped until the next flag."""
        deframer, place, lost, taken = self._deframer, self._place, self._lost, self._taken
        with m.State("RECEIVE"):
            m.d.comb += [
                taken.eq(deframer.valid), self._check.data.eq(deframer.data), self._check.valid.eq(taken),
                self._check.start.eq(deframer.flag),
            ]
            with m.If(taken):
                m.d.sync += place.eq(place + 1)
                with m.If(place < HEADER_BYTES):
                    m.d.sync += self._shift(deframer.data)
                with m.If(place == MOST):
                    m.d.sync += [lost.eq(1), place.eq(0)]
            with m.If(self._receiver.error):
                m.d.sync += lost.eq(1)
            with m.If(deframer.flag):
                m.d.sync += lost.eq(0)
                with m.If(~lost & ~deframer.aborted & self._check.match_detected & (place >= LEAST)):
                    m.next = "CHECK"
                with m.Else():
                    m.d.sync += place.eq(0)

    def _shift(self, byte):
        """The header with `byte` as its last and all others one place earlier."""
        return self._header_bits.eq(Cat(self._header_bits[8:], byte))

    def _new_session(self, m) -> Signal:
        """What the session is called if one is opened now: the host's number and the time."""
        timer, session = Signal(SESSION_BITS, reset_less=True), Signal(SESSION_BITS)
        m.d.sync += timer.eq(timer + 1)
        m.d.comb += session.eq(self._header.address[:SESSION_BITS] ^ timer)
        return session

    def _decide(self, m, session) -> None:
        """CHECK: whether the request is executed, and with what code it is answered otherwise."""
        header, place, refusal = self._header, self._place, self._request.code
        with m.State("CHECK"):
            m.d.sync += place.eq(0)
            m.next = "BEGIN"
            with m.If(header.kind == Operation.OPEN):
                m.d.sync += self._code.eq(refusal)
                with m.If(refusal == Code.DONE):
                    m.d.sync += [
                        self._session.eq(session), self._opened.eq(1), self._sequence.eq(header.sequence),
                        self._last_code.eq(Code.DONE), self._header_bits[16:32].eq(session),
                    ]
            with m.Elif(~self._opened | (header.session != self._session)):
                m.d.sync += self._code.eq(Code.SESSION)
            with m.Elif((header.sequence == self._sequence) & ~self._reads):
                m.d.sync += self._code.eq(self._last_code)
            with m.Elif((header.sequence == self._sequence) | (header.sequence == (self._sequence + 1)[:8])):
                m.d.sync += [self._sequence.eq(header.sequence), self._code.eq(refusal), self._last_code.eq(refusal)]
                with m.If((refusal == Code.DONE) & self._writes):
                    m.next = "NEXT"
                with m.If((refusal == Code.DONE) & self._reads):
                    m.next = "READ"
            with m.Else():
                m.d.sync += self._code.eq(Code.SEQUENCE)

    def _execute(self, m) -> None:
        """Writes data from the buffer byte by byte; reads the first byte, which tells whether there is an answer."""
        place, bus = self._place, self.bus
        with m.State("NEXT"):  # the buffer's read takes a cycle
            m.next = "WRITE"
        with m.State("WRITE"):
            m.d.comb += bus.write.eq(1)
            with m.If(bus.done):
                m.d.sync += place.eq(place + 1)
                m.next = "NEXT"
                with m.If(bus.error):
                    m.d.sync += [self._code.eq(Code.REGISTER), self._last_code.eq(Code.REGISTER)]
                with m.If(self._last | bus.error):
                    m.d.sync += place.eq(0)
                    m.next = "BEGIN"
        with m.State("READ"):
            m.d.comb += bus.read.eq(1)
            with m.If(bus.done):
                m.d.sync += self._data.eq(bus.data)
                m.next = "BEGIN"
                with m.If(place != 0):
                    m.next = "SEND"
                with m.Elif(bus.error):
                    m.d.sync += [self._code.eq(Code.REGISTER), self._last_code.eq(Code.REGISTER)]

    def _answer(self, m) -> None:
        """Flag, header with the code for the operation, what was read, check, flag."""
        sent, framer, check = Signal(4), self._framer, self._check
        taken = framer.i.valid & framer.i.ready

        def send(byte, *, checked: bool) -> None:
            m.d.comb += [
                framer.i.valid.eq(1), framer.i.payload.data.eq(byte),
                check.data.eq(byte), check.valid.eq(taken & checked),
            ]

        with m.State("BEGIN"):
            m.d.comb += [framer.i.valid.eq(1), framer.i.payload.flag.eq(1), check.start.eq(1)]
            m.d.sync += sent.eq(0)
            with m.If(taken):
                m.next = "HEADER"
        with m.State("HEADER"):
            send(Mux(sent == 0, ANSWER + self._code, self._header_bits[:8]), checked=True)
            with m.If(taken):
                m.d.sync += [sent.eq(sent + 1), self._shift(self._header_bits[:8])]
                with m.If(sent == HEADER_BYTES - 1):
                    m.d.sync += sent.eq(0)
                    m.next = "DATA"
        with m.State("DATA"):  # the header is whole again
            m.next = "CRC"
            with m.If(self._reads & (self._code == Code.DONE)):
                m.next = "SEND"
        with m.State("SEND"):
            send(self._data, checked=True)
            with m.If(taken):
                m.d.sync += self._place.eq(self._place + 1)
                m.next = "READ"
                with m.If(self._last):
                    m.next = "CRC"
        with m.State("CRC"):
            send(check.crc.word_select(sent[:2], 8), checked=False)
            with m.If(taken):
                m.d.sync += sent.eq(sent + 1)
                with m.If(sent == CHECK_BYTES - 1):
                    m.next = "END"
        with m.State("END"):
            m.d.comb += [framer.i.valid.eq(1), framer.i.payload.flag.eq(1), check.start.eq(1)]
            with m.If(taken):
                m.d.sync += [self._place.eq(0), self._lost.eq(1)]
                m.next = "RECEIVE"
