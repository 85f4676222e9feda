"""A section: consecutive layers that run row tile by row tile, so that the tensors between them stay on chip."""

from collections.abc import Sequence
from dataclasses import dataclass

from compiler.mapping import Mapping
from compiler.tiling import LayerPlan


@dataclass(frozen=True)
class Step:
    """Output rows `row` .. `row + rows - 1` of the section's layer number `layer`, counted from its first."""

    layer: int
    row: int
    rows: int


@dataclass(frozen=True, eq=False)
class Section:
    """Layers placed together, and the order in which their tiles are computed.

    Layer k + 1 reads what layer k wrote, from a ring of rows in the scratchpad. Correct in the order of `steps`.
    waits: tiles that wait for the last results of the tile before.
    """

    plans: tuple[LayerPlan, ...]
    steps: tuple[Step, ...]
    waits: int = 1

    @property
    def layers(self) -> range:
        """Indices of its layers in the network."""
        return range(self.plans[0].index, self.plans[-1].index + 1)


@dataclass(frozen=True)
class Rows:
    """How the rows of a layer's output depend on those of its input; input, output: their heights."""

    input: int
    output: int
    kernel: int
    stride: int
    top: int

    @classmethod
    def of(cls, mapping: Mapping, heights: tuple[int, int]) -> "Rows":
        """Of a layer with these heights of input and output."""
        return cls(*heights, mapping.layer.kernel[0], mapping.stride[0], mapping.layer.padding[0])

    def ready(self, available: int) -> int:
        """Output rows that can be made from the first `available` input rows."""
        if available >= self.input:
            return self.output
        return min(max((available + self.top - self.kernel) // self.stride + 1, 0), self.output)

    def last(self, done: int) -> int:
        """Input rows that have been read once `done` output rows are made."""
        return min((done - 1) * self.stride - self.top + self.kernel, self.input)

    def needed(self, done: int) -> int:
        """The first input row that is still read once `done` output rows are made."""
        return self.input if done >= self.output else max(done * self.stride - self.top, 0)


def interleave(layers: Sequence[Rows], rows: int, *, lag: bool) -> tuple[Step, ...]:
    """Tiles of all layers in turn, `rows` output rows of the first layer per turn.

    lag: a layer takes only what the layer before finished in earlier turns, so that it never waits for the last results
    of the tile just computed; its ring then holds a tile more.
    """
    done = [0] * len(layers)
    steps = []
    while any(made < layer.output for made, layer in zip(done, layers, strict=True)):
        before = list(done) if lag else done
        for number, layer in enumerate(layers):
            first = min(done[0] + rows, layer.output)
            ready = first if number == 0 else layer.ready(before[number - 1])
            if ready > done[number]:
                steps.append(Step(number, done[number], ready - done[number]))
                done[number] = ready
    return tuple(steps)


def ring_rows(layers: Sequence[Rows], steps: Sequence[Step], number: int) -> int:
    """Row slots between layer `number` and the next: rows made and still read, whenever more are made.

    Rows read by the very step before a tile count as still read: the tile need not wait for that step.
    """
    slots = needed = held = 0
    for position, step in enumerate(steps):
        if step.layer == number:
            straight = position > 0 and steps[position - 1].layer == number + 1
            slots = max(slots, step.row + step.rows - (held if straight else needed))
        elif step.layer == number + 1:
            held, needed = needed, layers[number + 1].needed(step.row + step.rows)
    return min(slots, layers[number].output)


def tile_rows(steps: Sequence[Step], number: int) -> int:
    """Rows of the largest tile of a layer."""
    return max(step.rows for step in steps if step.layer == number)


def waits(layers: Sequence[Rows], steps: Sequence[Step]) -> int:
    """Tiles that read rows of the tile computed just before them; the first waits, too."""
    count = 1
    for before, step in zip(steps, steps[1:], strict=False):
        follows = step.layer == before.layer + 1
        count += follows and layers[step.layer].last(step.row + step.rows) > before.row
    return count
