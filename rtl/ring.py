"""Row slots of a scratchpad region form a ring (docs/engine.md, "Memories")."""

from amaranth.hdl import Mux

from compiler.encoding import ROW_OFFSETS

OFFSET_BITS = (ROW_OFFSETS - 1).bit_length()


def next_offset(offset, pitch, extent):
    """The row offset that follows: offset + pitch, or 0 where that equals `extent`; modulo 65536, so 0 means that."""
    following = (offset + pitch)[:OFFSET_BITS]
    return Mux(following == extent, 0, following)
