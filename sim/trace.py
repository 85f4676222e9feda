"""The trace of a run against golden: every result write, in order, at its place, by equality."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encoding import ROW_OFFSETS
from golden.network import Network
from sim.expected import STAGES, Expected


@dataclass(frozen=True)
class ComputeWrites:
    """The results of one COMPUTE command: what part of the layer's output tensor it makes and where it puts them.

    layer: index. channel, row, column: of the first result; groups, rows, width: as the command's; with one row,
    `width` may run on through the tensor's next rows. tensor_width: W. The rest: the command's fields of the output
    region.
    """

    layer: int
    channel: int
    row: int
    column: int
    groups: int
    rows: int
    width: int
    tensor_width: int
    first_group: int
    base: int
    block_stride: int
    pitch: int
    extent: int
    row_offset: int

    @property
    def count(self) -> int:
        """Pixels written."""
        return self.groups * self.rows * self.width

    def place(self, index: int, lanes: int) -> tuple[int, int, int]:
        """(first channel, row, column) of the pixel written as number `index`."""
        group, rest = divmod(index, self.rows * self.width)
        row, column = divmod(int(self.positions[rest]), self.tensor_width)
        return self.channel + group * lanes, row, column

    @property
    def positions(self) -> np.ndarray:
        """Where the pixels of one lane group lie in a plane of the tensor, row * W + column, as they are written."""
        first = self.row * self.tensor_width + self.column
        return (first + np.arange(self.rows)[:, None] * self.tensor_width + np.arange(self.width)).ravel()

    def addresses(self, lanes: int) -> tuple[np.ndarray, np.ndarray]:
        """Scratchpad word address and lane group within the word of every pixel, int64 (count,)."""
        group = self.first_group + np.arange(self.groups)
        per_block = WORD_BYTES // lanes
        extent = self.extent or ROW_OFFSETS
        offset = (self.row_offset + np.arange(self.rows) * self.pitch) % extent
        word = (
            self.base + (group // per_block * self.block_stride)[:, None, None] + offset[None, :, None]
            + np.arange(self.width)
        ) % 65536
        return word.ravel(), np.repeat(group % per_block, self.rows * self.width)


@dataclass(frozen=True, eq=False)
class Writes:
    """Pixels written, in order: layer, address, sub (N,); values by stage, (N, lanes)."""

    layer: np.ndarray
    address: np.ndarray
    sub: np.ndarray
    values: dict[str, np.ndarray]


def record_type(config: EngineConfig, stages: bool) -> np.dtype:
    """One record of the trace file (sim/verilog/trace_recorder.sv)."""
    results = config.results
    fields = [("layer", "<u2"), ("sub", "u1"), ("pixel_valid", "u1"), ("address", "<u2", max(config.pixels, 2)),
              ("output", "i1", -(-results // 4) * 4)]
    if stages:
        fields += [("acc", "<i4", results), ("shifted", "<i4", results), ("product", "<i8", results)]
    return np.dtype(fields)


def read_trace(path: Path, config: EngineConfig, *, stages: bool) -> Writes:
    """The writes of a trace file."""
    records = np.fromfile(path, record_type(config, stages))
    valid = (records["pixel_valid"][:, None] >> np.arange(config.pixels)) & 1 == 1
    shape = (len(records), config.pixels, config.lanes)
    names = STAGES if stages else ("output",)
    values = {name: records[name][:, : config.results].reshape(shape)[valid] for name in names}

    def each(name: str) -> np.ndarray:
        return np.broadcast_to(records[name][:, None], valid.shape)[valid]

    return Writes(each("layer"), records["address"][:, : config.pixels][valid], each("sub"), values)


@dataclass(frozen=True)
class Mismatch:
    """One wrong value and its place."""

    layer: str
    channel: int
    row: int
    column: int
    stage: str
    expected: int
    actual: int

    def __str__(self) -> str:
        where = f"layer {self.layer} channel {self.channel} row {self.row} column {self.column} stage {self.stage}"
        return f"{where}: expected {self.expected}, got {self.actual}"


def _grouped(values: np.ndarray, part: ComputeWrites, lanes: int) -> np.ndarray:
    """Values (C, H, W) of a command's results, (count, lanes) in the order of its writes."""
    channels = slice(part.channel, part.channel + part.groups * lanes)
    cut = values[channels].reshape(-1, values.shape[1] * values.shape[2])[:, part.positions]
    return cut.reshape(part.groups, lanes, -1).transpose(0, 2, 1).reshape(-1, lanes)


def compare_trace(
    network: Network, expected: Expected, parts: list[ComputeWrites], writes: Writes, config: EngineConfig
) -> tuple[int, list[Mismatch]]:
    """(values compared, mismatches): every write in order, its address and the values of every stage recorded.

    The mismatches are those of the first wrong stage of each wrong pixel. An address is compared as stage "address".
    """
    lanes = config.lanes
    total = sum(part.count for part in parts)
    mismatches = []
    if len(writes.layer) != total:
        mismatches.append(Mismatch("all", 0, 0, 0, "number of writes", total, len(writes.layer)))
    compared, start = 0, 0
    for part in parts:
        stop = min(start + part.count, len(writes.layer))
        compared += (stop - start) * lanes
        mismatches += _compare_part(network, expected, part, writes, slice(start, stop), lanes)
        start = stop
    return compared, mismatches


def _compare_part(network, expected, part, writes, where, lanes) -> list[Mismatch]:
    layer = network.layers[part.layer]
    count = where.stop - where.start
    address, sub = part.addresses(lanes)
    found = []
    wrong = (writes.address[where] != address[:count]) | (writes.sub[where] != sub[:count])
    wrong |= writes.layer[where] != part.layer
    for index in np.flatnonzero(wrong)[:4]:
        place = part.place(int(index), lanes)
        found.append(Mismatch(layer.name, *place, "address", int(address[index]), int(writes.address[where][index])))
    sources = {"output": expected.tensors[layer.output]} | expected.stages.get(layer.name, {})
    for stage in [name for name in STAGES if name in writes.values]:
        want = _grouped(sources[stage], part, lanes)[:count]
        got = writes.values[stage][where]
        for index, lane in np.argwhere(want != got)[:4]:
            channel, row, column = part.place(int(index), lanes)
            values = int(want[index, lane]), int(got[index, lane])
            found.append(Mismatch(layer.name, channel + int(lane), row, column, stage, *values))
        if found:
            break  # later stages follow from this one
    return found
