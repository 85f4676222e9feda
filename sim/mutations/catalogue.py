"""The planted bugs: file, line before, line after, and the case that must catch it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """`old`, found exactly once in rtl/`file`, becomes `new`; `case` on `config` must fail."""

    name: str
    file: str
    old: str
    new: str
    case: str
    config: str = "nano"


MUTATIONS: tuple[Mutation, ...] = (
    Mutation("shift off by one", "requantizer.py", "amount.eq(self.shift + self.constants.exponent)",
             "amount.eq(self.shift + self.constants.exponent + 1)", "conv_shift"),
    Mutation("rounding constant halved", "requantizer.py", "half = 1 << 14", "half = 1 << 13", "conv_shift"),
    Mutation("no saturation", "requantizer.py", "saturated.eq(Mux(outside, limit, fine))", "saturated.eq(fine)",
             "conv_shift"),
    Mutation("saturates to the wrong side", "requantizer.py", "limit = Cat((~negative).replicate(kept - 1), negative)",
             "limit = Cat(negative.replicate(kept - 1), ~negative)", "conv_shift"),
    Mutation("upper clamp off by one", "requantizer.py", "Mux(offset > high, high", "Mux(offset > high + 1, high",
             "conv_shift"),
    Mutation("lower clamp missing", "requantizer.py", "Mux(offset < low, low, ", "Mux(offset < -128, low, ",
             "conv_shift"),
    Mutation("sum one bit short", "requantizer.py", "offset = Signal(signed(12)", "offset = Signal(signed(10)",
             "conv_shift"),
    Mutation("residual zero point ignored", "requantizer.py",
             'difference.eq(u - self._constant(m, "residual_zero_point", "coarse"))', "difference.eq(u)", "residual"),
    Mutation("bias forgotten", "array.py", "Mux(self.first, self.bias[lane], acc)", "Mux(self.first, 0, acc)",
             "conv_shift"),
    Mutation("accumulator not cleared", "array.py", "acc.eq(Mux(self.first, self.bias[lane], acc) + dot)",
             "acc.eq(acc + dot)", "conv_shift"),
    Mutation("dot product too narrow", "array.py", "dot_bits = 16 +", "dot_bits = 14 +", "conv_shift"),
    Mutation("window padded with 0", "operands.py", "Cat(*[op.zero_point] * config.lanes)",
             "Const(0, 8 * config.lanes)", "depthwise"),
    Mutation("vector padded with 0", "operands.py", "Cat(*[op.zero_point] * config.taps)",
             "Const(0, 8 * config.taps)", "conv_shift"),
    Mutation("rows outside the image read", "operands.py", "inside = op.row_valid[j] & op.column_valid[i]",
             "inside = op.column_valid[i]", "depthwise"),
    Mutation("window rows and columns swapped", "operands.py", "window[left + k % grid][k // grid]",
             "window[left + k // grid][k % grid]", "depthwise"),
    Mutation("gathered channels swapped", "operands.py", "channel, position = divmod(k, 9)",
             "position, channel = divmod(k, 4)", "stem", "small"),
    Mutation("horizontal stride ignored", "sequencer.py", "column.eq(column + Mux(pair, 2, c.stride_x))",
             "column.eq(column + 1)", "conv_shift"),
    Mutation("weights not rewound", "sequencer.py", "m.d.sync += [weight.eq(group_start), group_end.eq(following)]",
             "m.d.sync += [weight.eq(following), group_end.eq(following)]", "conv_shift"),
    Mutation("channel block not advanced", "sequencer.py", "sub.eq(0), block.eq(block + c.input_block_stride)",
             "sub.eq(0), block.eq(block)", "pointwise"),
    Mutation("last column dropped", "sequencer.py", "x_last.eq(x_out + 1 + pair >= c.output_width)",
             "x_last.eq(x_out + 2 + pair >= c.output_width)", "conv_shift"),
    Mutation("kernel row not wrapped", "sequencer.py", "offset.eq(next_offset(offset, c.input_pitch, c.input_extent))",
             "offset.eq(offset + c.input_pitch)", "conv_shift"),
    Mutation("vertical stride ignored", "rows.py", "image_row.eq(image_row + c.stride_y)",
             "image_row.eq(image_row + 1)", "depthwise"),
    Mutation("rows not advanced by the stride", "rows.py",
             "slot.eq(Mux(c.stride_y == 2, plan.offset[2], plan.offset[1]))", "slot.eq(plan.offset[1])", "depthwise"),
    Mutation("parameters of the first group for all", "rows.py", "plan.parameter_row.eq(c.parameter_row + group)",
             "plan.parameter_row.eq(c.parameter_row)", "conv_shift"),
    Mutation("stale layer constants", "results.py", "with m.If(self.starts_command & (following == i)):",
             "with m.If(self.starts_command & (self.context == i)):", "chain"),
    Mutation("no credit check", "results.py", "self.room.eq(results.credit_available)", "self.room.eq(1)", "depthwise"),
    Mutation("unpacked rows lose their last beat", "load.py", "(quarter == 3) | walk.last_in_row)", "(quarter == 3))",
             "stem"),
    Mutation("blocks of a LOAD overlap", "load.py", "block_address.eq(block_address + command.external_block_stride)",
             "block_address.eq(block_address)", "pointwise"),
    Mutation("scratchpad ring not wrapped", "transfer.py",
             "row_offset.eq(next_offset(row_offset, job.pitch, job.extent))", "row_offset.eq(row_offset + job.pitch)",
             "tiled"),
    Mutation("store announces a beat too few", "store.py", "stage.length.eq(length)", "stage.length.eq(length - 1)",
             "pointwise"),
    Mutation("store does not wait for the response", "store.py", "self.finished.eq(answered & tag.command_last)",
             "self.finished.eq(burst_complete & stage.tag.command_last)", "programs"),
    Mutation("weights end a beat early", "weights.py", "last = done_units + 1 == job.length",
             "last = done_units + 2 >= job.length", "conv_shift"),
    Mutation("parameter rows not advanced", "weights.py", "self.parameter_row.eq(job.row + row)",
             "self.parameter_row.eq(job.row)", "conv_shift"),
    Mutation("LOAD not waited for", "command.py", "load=finished[Unit.LOAD] >= command.wait_load", "load=Const(1)",
             "stem"),
    Mutation("WEIGHTS not waited for", "command.py", "weights=finished[Unit.WEIGHTS] >= command.wait_weights",
             "weights=Const(1)", "conv_shift"),
    Mutation("COMPUTE not waited for", "command.py", "compute=finished[Unit.COMPUTE] >= command.wait_compute",
             "compute=Const(1)", "chain"),
    Mutation("halves of a beat swapped", "axi4.py",
             "axi.wdata.eq(Mux(second, beat.payload.data[half:], beat.payload.data[:half]))",
             "axi.wdata.eq(Mux(second, beat.payload.data[:half], beat.payload.data[half:]))", "pointwise"),
    Mutation("WLAST on both halves", "axi4.py", "axi.wlast.eq(beat.payload.last & second)",
             "axi.wlast.eq(beat.payload.last)", "pointwise"),
    Mutation("W changed before WREADY", "axi4.py", "free.eq(~axi.wvalid | axi.wready), beat.ready",
             "free.eq(1), beat.ready", "stalls"),
)
