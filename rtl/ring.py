"""Row slots of a scratchpad region form a ring (docs/engine.md, "Memories")."""

from amaranth.hdl import Mux


def next_offset(offset, pitch, extent):
    """The row offset that follows: offset + pitch, or 0 where that equals `extent`.

    Modulo 2^n for an extent of n bits, so an extent of 0 means that.
    """
    following = (offset + pitch)[: len(extent)]
    return Mux(following == extent, 0, following)


def following_offset(offset, pitch, last):
    """The same, of a ring whose last slot has the offset `last`, extent - pitch: it does not wait for the sum."""
    return Mux(offset == last, 0, (offset + pitch)[: len(last)])
