"""A second judge of hazards that shares nothing with compiler/hazards.py: all pairs of commands, word by word."""

from itertools import combinations

from compiler.config import SEQUENTIAL_TAPS, EngineConfig
from compiler.encode import Command
from compiler.encoding import Mode, Unit

Words = set[tuple[str, int]]
NAMES = ("wait_load", "wait_weights", "wait_compute", "wait_store")


def _region(fields: dict[str, int], prefix: str, blocks: int, rows: int, columns: range) -> Words:
    """word(block, row, x) of docs/engine.md for row = 0 .. rows - 1 of the ring from row_offset on."""
    words = set()
    for block in range(blocks):
        offset = fields[prefix + "row_offset"]
        for _ in range(rows):
            first = fields[prefix + "base"] + block * fields[prefix + "block_stride"] + offset
            words |= {("scratchpad", first + x) for x in columns}
            offset += fields[prefix + "pitch"]
            offset = 0 if offset % 65536 == fields[prefix + "extent"] else offset
    return words


def _ring(name: str, first: int, count: int, size: int) -> Words:
    return {(name, (first + row) % size) for row in range(count)}


def _transfer(command: Command) -> tuple[Words, Words]:
    """(inside, outside) of a LOAD or STORE."""
    fields = command.fields
    inside = _region(fields, "", fields["blocks"], fields["rows"], range(fields["width"]))
    units = -(-fields["width"] // 4) if fields.get("unpack") else fields["width"]
    outside = {
        ("data", (fields["address"] + block * fields["external_block_stride"]) // 16 + unit)
        for block in range(fields["blocks"])
        for unit in range(fields["rows"] * units)
    }
    return inside, outside


def _image(fields: dict[str, int], config: EngineConfig, blocks: int) -> Words:
    """Input words under the kernel of any output: row by row and column by column, as the array walks."""
    words: Words = set()
    columns = {
        x
        for ox in range(fields["output_width"])
        for kx in range(fields["kernel_width"])
        if 0 <= (x := fields["first_column"] + ox * fields["stride_x"] + kx) < fields["input_width"]
    }
    offsets = {}
    offset = fields["input_row_offset"]
    last = (fields["output_rows"] - 1) * fields["stride_y"] + fields["kernel_height"]
    for step in range(last):
        offsets[step] = offset
        offset += fields["input_pitch"]
        offset = 0 if offset % 65536 == fields["input_extent"] else offset
    for oy in range(fields["output_rows"]):
        for ky in range(fields["kernel_height"]):
            step = oy * fields["stride_y"] + ky
            if 0 <= fields["first_row"] + step < fields["input_height"]:
                for block in range(blocks):
                    first = fields["input_base"] + block * fields["input_block_stride"] + offsets[step]
                    words |= {("scratchpad", first + x) for x in columns}
    return words


def _group_rows(fields: dict[str, int], config: EngineConfig) -> int:
    taps = fields["kernel_height"] * fields["kernel_width"]
    return {
        Mode.DENSE: taps * fields["vectors"],
        Mode.SEQUENTIAL: -(-taps // SEQUENTIAL_TAPS),
        Mode.WINDOW: fields["passes"],
        Mode.GATHER: fields["passes"],
    }[fields["mode"]]


def touched(command: Command, config: EngineConfig) -> tuple[Words, Words]:
    """(reads, writes) of one command, from its fields and docs/engine.md."""
    fields = command.fields
    if command.unit == Unit.END:
        return set(), set()
    if command.unit == Unit.WEIGHTS:
        name, size, rows = "weights", config.weight_row_bytes, config.weight_rows
        if fields["parameters"]:
            name, size, rows = "parameters", config.parameter_row_bytes, config.parameter_rows
        return set(), _ring(name, fields["row"], -(-16 * fields["length"] // size), rows)
    if command.unit != Unit.COMPUTE:
        inside, outside = _transfer(command)
        return (outside, inside) if command.unit == Unit.LOAD else (inside, outside)
    per_block = 16 // config.lanes
    blocks = -(-(fields["first_group"] + fields["groups"]) // per_block)
    read = {Mode.DENSE: -(-fields["vectors"] * config.taps // 16), Mode.GATHER: 1}.get(fields["mode"], blocks)
    reads = _image(fields, config, read)
    reads |= _ring("parameters", fields["parameter_row"], fields["groups"], config.parameter_rows)
    count = 1 if fields["hold_weights"] else fields["groups"] * _group_rows(fields, config)
    reads |= _ring("weights", fields["weight_row"], count, config.weight_rows)
    size = blocks, fields["output_rows"], range(fields["output_width"])
    if fields["residual"]:
        reads |= _region(fields, "residual_", *size)
    return reads, set() if fields["partial"] else _region(fields, "output_", *size)


def conflicting(commands: list[Command], config: EngineConfig) -> list[tuple[int, int]]:
    """Pairs of command numbers that touch a common word, one of them writing."""
    sets = [touched(command, config) for command in commands]
    return [
        (a, b)
        for a, b in combinations(range(len(commands)), 2)
        if sets[a][1] & sets[b][1] or sets[a][1] & sets[b][0] or sets[a][0] & sets[b][1]
    ]


def finished_before(commands: list[Command]) -> list[int]:
    """For every command a bit mask of the commands that have certainly finished when it starts."""
    of_unit: list[list[int]] = [[], [], [], []]
    done: list[int] = []
    for number, command in enumerate(commands):
        known = 0
        for unit, name in enumerate(NAMES):
            for earlier in of_unit[unit][: command.fields[name]]:
                known |= 1 << earlier | done[earlier]
        if command.unit != Unit.END:
            own = of_unit[command.unit]
            if own:
                known |= done[own[-1]]
                if command.unit in (Unit.LOAD, Unit.WEIGHTS):
                    known |= 1 << own[-1]
            own.append(number)
        done.append(known)
    return done


def races(commands: list[Command], pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pairs of `conflicting` that no wait orders."""
    done = finished_before(commands)
    return [(a, b) for a, b in pairs if not done[b] >> a & 1]
