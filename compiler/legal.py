"""Fields that no engine accepts (docs/commands.md): the compiler never writes them, the hazard checker looks."""

from collections.abc import Iterator

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encode import Command
from compiler.encoding import FIELDS, Mode, Unit, is_size, used_range
from compiler.footprint import WINDOWED

Fields = dict[str, int]
AT_LEAST_ONE = {
    Unit.LOAD: ("rows", "width", "blocks"),
    Unit.STORE: ("rows", "width", "blocks"),
    Unit.WEIGHTS: ("length",),
    Unit.COMPUTE: ("output_rows", "output_width", "groups", "input_height", "input_width"),
    Unit.END: (),
}
ALIGNED = ("address", "external_block_stride")
RESIDUAL_MULTIPLIER_MAX = 1 << 15
EXPONENT_MAX = 16
MULTIPLIER_MIN = 1 << 15
GATHER_LANES_MIN = 4


def illegal_fields(command: Command, config: EngineConfig) -> list[str]:
    """A line "field = value must be ..." for every field that an engine of this configuration refuses."""
    fields = command.fields
    rules = [(name, fields[name] >= 1, "1 or more") for name in AT_LEAST_ONE[command.unit]]
    rules += [(name, fields[name] % WORD_BYTES == 0, "a multiple of 16") for name in ALIGNED if name in fields]
    rules += _size_rules(command.unit, fields, config)
    if command.unit == Unit.COMPUTE:
        rules += [*_array_rules(fields, config), *_chain_rules(fields, config), *_requantizer_rules(fields)]
    return [f"{name} = {fields[name]} must be {allowed}" for name, legal, allowed in rules if not legal]


def _size_rules(unit: Unit, fields: Fields, config: EngineConfig) -> Iterator[tuple[str, bool, str]]:
    for field in FIELDS[unit]:
        if is_size(field) and field.name in fields:
            low, high = used_range(field, size_bits=config.size_bits, address_bits=config.address_bits)
            yield field.name, low <= fields[field.name] <= high, f"in {low}..{high}"


def _array_rules(fields: Fields, config: EngineConfig) -> Iterator[tuple[str, bool, str]]:
    yield "stride_y", fields["stride_y"] in (1, 2), "1 or 2"
    yield "stride_x", fields["stride_x"] in (1, 2), "1 or 2"
    last = WORD_BYTES // config.lanes - 1
    yield "first_group", fields["first_group"] <= last, f"in 0..{last}"
    mode = fields["mode"]
    if mode in WINDOWED:
        largest = config.window_kernel if mode == Mode.WINDOW else 3
        yield "grid", fields["grid"] in (3, largest), " or ".join(str(size) for size in sorted({3, largest}))
        yield "passes", fields["passes"] >= 1, "1 or more"
        yield "mode", config.window_kernel > 1, "DENSE or SEQUENTIAL: the engine has no window unit"
        yield "mode", mode == Mode.WINDOW or config.lanes >= GATHER_LANES_MIN, "another: GATHER needs 4 lanes"
        return
    yield "kernel_height", fields["kernel_height"] >= 1, "1 or more"
    yield "kernel_width", fields["kernel_width"] >= 1, "1 or more"
    yield "vectors", mode == Mode.SEQUENTIAL or fields["vectors"] >= 1, "1 or more"


def _chain_rules(fields: Fields, config: EngineConfig) -> Iterator[tuple[str, bool, str]]:
    """A command that continues or is partial has one set of accumulators only."""
    step = config.pixels if fields["stride_x"] == 1 else 1
    for name in ("continues", "partial"):
        alone = not fields[name]
        yield name, alone or fields["mode"] not in WINDOWED, "0 in WINDOW and GATHER"
        yield name, alone or fields["groups"] == fields["output_rows"] == 1, "0 with more than one group or output row"
        yield name, alone or fields["output_width"] <= step, f"0 with more than {step} output columns"


def _requantizer_rules(fields: Fields) -> Iterator[tuple[str, bool, str]]:
    multiplier = fields["multiplier"]
    yield "multiplier", multiplier == 0 or multiplier >= MULTIPLIER_MIN, "0 or 2^15 or more"
    yield "exponent", fields["exponent"] <= EXPONENT_MAX, f"in 0..{EXPONENT_MAX}"
    yield "low", fields["low"] <= fields["high"], "at most high"
    fits = not fields["residual"] or fields["residual_multiplier"] <= RESIDUAL_MULTIPLIER_MAX
    yield "residual_multiplier", fits, f"in 0..{RESIDUAL_MULTIPLIER_MAX}"
