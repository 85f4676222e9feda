"""What the planner hands to the sequencer: a row, and what the walk needs of its command in the form it needs it."""

from amaranth.hdl import Mux, signed
from amaranth.lib import data

from compiler.config import EngineConfig
from compiler.encoding import Mode
from rtl.microop import CONTEXTS
from rtl.window_walk import WindowSteps


def row_plan(config: EngineConfig) -> data.StructLayout:
    """One output row of one lane group, ready to be sequenced.

    offset[j], valid[j]: slot offset of input row j and whether it lies in the image; of a double feed's right half from
    j = 3 on; image_row: that of row 0; input: word address of the input's block; output, residual: word address of
    column 0; sub: lane group within the word; parameter_row; context: of the command; flags: first row of the
    command / of its group, last row of the command.
    """
    return data.StructLayout(
        {
            "offset": data.ArrayLayout(16, config.row_ports),
            "valid": config.row_ports,
            "image_row": signed(17),
            "input": 16,
            "output": 16,
            "residual": 16,
            "sub": 3,
            "parameter_row": range(config.parameter_rows),
            "context": range(CONTEXTS),
            "first_of_command": 1,
            "first_of_group": 1,
            "last_of_command": 1,
        }
    )


STEP_SHAPE = data.StructLayout(
    {
        "windowed": 1,
        "sequential": 1,
        "grid5": 1,
        "wide": 1,
        "double": 1,
        "overlaps": 1,
        "two_feeds": 1,
        "first_number": signed(5),
        "left": signed(18),
        "starts_last": 1,
        "one_pass": 1,
        "one_column": 1,
        "one_row": 1,
        "one_step": 1,
    }
)


def step_shape(command, config: EngineConfig) -> dict:
    """The steps of a command, by field of STEP_SHAPE.

    windowed .. two_feeds: of docs/engine.md, "Window steps"; first_number: of a row (rtl.window_walk.WindowWalk);
    left: column of a row's first feed or position; starts_last: a row's first operation is the last one of a step's
    innermost loop; one_pass, one_column, one_row: that loop and the two around it have one round; one_step: so has
    the row.
    """
    steps = WindowSteps(config)
    windowed = steps.windowed(command)
    wide, pair = windowed & steps.wide(command) & (config.pixels > 1), command.stride_x == 1
    width = 1 if config.pixels == 1 else Mux(pair, config.pixels, Mux(wide, 2, 1))
    number, two = steps.first_number(command), steps.two_feeds(command)
    single = (command.passes == 1) & ~two
    sequential = command.mode == Mode.SEQUENTIAL
    one_pass = Mux(windowed, single, sequential | (command.vectors == 1))
    return {
        "windowed": windowed,
        "sequential": sequential,
        "grid5": steps.grid5(command),
        "wide": wide,
        "double": steps.double(command),
        "overlaps": steps.overlaps(command),
        "two_feeds": two,
        "first_number": number,
        "left": steps.first_left(command),
        "starts_last": one_pass & (~windowed | (number == 0)),
        "one_pass": one_pass,
        "one_column": windowed | (command.kernel_width == 1),
        "one_row": windowed | (command.kernel_height == 1),
        "one_step": command.output_width <= width,
    }
