"""Commands with a field that no engine accepts: for every field of the encoding that has such values, in every mode."""

from collections.abc import Iterator

from compiler.config import EngineConfig
from compiler.encode import Command
from compiler.encoding import FIELDS, Field, Mode, Unit
from compiler.legal import ALIGNED, illegal_fields

# COMPUTE commands of every mode, every field with limits in use; the rest as given.
LIMITS = {"residual": 1, "residual_multiplier": 1, "low": -4, "high": 5}
STEP = {"groups": 1, "output_rows": 1, "output_width": 1}  # one output step: what a chain is made of
BY_WORD = (
    {"mode": Mode.DENSE, "kernel_height": 3, "kernel_width": 3, "vectors": 1},
    {"mode": Mode.SEQUENTIAL, "kernel_height": 3, "kernel_width": 3},
)
BY_WINDOW = ({"mode": Mode.WINDOW, "grid": 3, "passes": 3}, {"mode": Mode.GATHER, "grid": 3, "passes": 3})
FORMS = (
    *(LIMITS | form for form in (*BY_WORD, *BY_WINDOW)),
    *(LIMITS | form | STEP for form in BY_WINDOW),
    *(LIMITS | form | STEP | {flag: 1} for form in BY_WORD for flag in ("continues", "partial")),
)
NARROW = 3  # bits of a field of which every value is tried


def _values(field: Field) -> list[int]:
    """All values of a short field; of a long one the limits, the powers of two and what is beside them."""
    low, high = field.range
    if field.width <= 5:
        return list(range(low, high + 1))
    near = {(1 << bit) + step for bit in range(field.width) for step in (-1, 0, 1)}
    return sorted(value for value in near | {-value for value in near} | {low, high} if low <= value <= high)


def _chosen(field: Field, refused: list[int]) -> list[int]:
    """Of the refused values: all of a narrow field; else the smallest and the largest; misaligned by every bit."""
    if field.width <= NARROW:
        return refused
    bits = {value for value in (1, 2, 4, 8) if value in refused} if field.name in ALIGNED else set()
    return sorted({*refused[:1], *refused[-1:], *bits})


def illegal_commands(command: Command, config: EngineConfig) -> Iterator[tuple[str, Command]]:
    """(field, `command` with a value of it that an engine of `config` refuses), for every field of every form.

    A form that the engine refuses as it is (GATHER with two lanes) is given once, for its mode.
    """
    for form in FORMS if command.unit == Unit.COMPUTE else ({},):
        fields = command.fields | form
        if illegal_fields(Command(command.unit, fields), config):
            yield "mode", Command(command.unit, fields)
            continue
        for field in FIELDS[command.unit]:
            values = _values(field) if field.name in fields else []
            changed = {value: Command(command.unit, fields | {field.name: value}) for value in values}
            refused = [value for value, one in changed.items() if illegal_fields(one, config)]
            for value in _chosen(field, refused):
                yield field.name, changed[value]
