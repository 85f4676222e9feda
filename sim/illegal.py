"""Commands with a field that no engine accepts: for every field of the encoding that has such values."""

from collections.abc import Iterator

from compiler.config import EngineConfig
from compiler.encode import Command
from compiler.encoding import FIELDS, Field, Mode, Unit
from compiler.legal import illegal_fields

# COMPUTE commands of every mode, every field with limits in use; the rest as given.
FORMS = (
    {"mode": Mode.DENSE, "kernel_height": 3, "kernel_width": 3, "vectors": 1},
    {"mode": Mode.SEQUENTIAL, "kernel_height": 3, "kernel_width": 3},
    {"mode": Mode.WINDOW, "grid": 3, "passes": 3},
    {"mode": Mode.GATHER, "grid": 3, "passes": 3},
)
LIMITS = {"residual": 1, "residual_multiplier": 1, "low": -4, "high": 5}


def _values(field: Field) -> list[int]:
    """All values of a narrow field; of a wide one the limits, the powers of two and what is beside them."""
    low, high = field.range
    if field.width <= 5:
        return list(range(low, high + 1))
    near = {(1 << bit) + step for bit in range(field.width) for step in (-1, 0, 1)}
    return sorted(value for value in near | {-value for value in near} | {low, high} if low <= value <= high)


def illegal_commands(command: Command, config: EngineConfig) -> Iterator[tuple[str, Command]]:
    """(field, `command` with a value of it that an engine of `config` refuses): the smallest and the largest such value
    of every field, in every mode; each value once."""
    forms = FORMS if command.unit == Unit.COMPUTE else ({},)
    seen = set()
    for form in forms:
        fields = command.fields | form | (LIMITS if form else {})
        for field in FIELDS[command.unit]:
            if field.name not in fields:
                continue
            changed = [Command(command.unit, fields | {field.name: value}) for value in _values(field)]
            refused = [one for one in changed if illegal_fields(one, config)]
            for one in (refused[:1] + refused[-1:]) if len(refused) < len(changed) else ():
                if (key := (field.name, one.fields[field.name])) not in seen:
                    seen.add(key)
                    yield field.name, one
