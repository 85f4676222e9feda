"""Nothing is lost, doubled or changed: one item, freely chosen, is followed from where it enters to where it leaves."""

from amaranth.hdl import Assert, Module, Signal


class Follow:
    """Counts the items inside a stage and follows one; everything is counted at the stage's interface.

    entered: an item `item` enters in this cycle; left: how many leave.  chosen: a free input of the harness; when it is
    high the item that enters is followed, unless one is already.  room: items that fit.

    `inside`: items inside; `watched`: the followed item is inside, `ahead` others leave before it, and it was `kept`
    when it entered; `leaves`: it leaves in this cycle. The harness asserts `kept` where items leave, and for the
    induction at every place inside where the item can be.
    """

    def __init__(self, m: Module, *, entered, left, item, chosen, room: int, name: str = "item"):
        self.inside = Signal(range(room + 1), name=f"{name}s_inside")
        self.watched = Signal(name=f"{name}_watched")
        self.ahead = Signal(range(room + 1), name=f"{name}s_ahead")
        self.kept = Signal(item.shape(), name=f"{name}_kept")
        self.leaves = Signal(name=f"{name}_leaves")
        m.d.sync += self.inside.eq(self.inside + entered - left)
        m.d.comb += [
            self.leaves.eq(self.watched & (left > self.ahead)),
            Assert(left <= self.inside),  # nothing leaves that has not entered
            Assert(self.inside <= room),
            Assert(~self.watched | (self.ahead < self.inside)),
        ]
        with m.If(self.watched):
            m.d.sync += self.ahead.eq(self.ahead - left)
            with m.If(self.leaves):
                m.d.sync += self.watched.eq(0)
        with m.Elif(entered & chosen):
            m.d.sync += [self.watched.eq(1), self.ahead.eq(self.inside - left), self.kept.eq(item)]
