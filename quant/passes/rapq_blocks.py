"""Block reconstruction of a power-of-two network with learned rounding (RAPQ, 2204.12322); needs torch."""

import numpy as np

from golden.errors import WesnpuError
from quant.calibration.integer_run import IntegerRun, first_images
from quant.float_graph.onnx_model import to_onnx
from quant.float_graph.onnxruntime_run import FloatRunner
from quant.plan.lower import lower
from quant.plan.operations import Operation
from quant.plan.plan import Plan

IMAGES = 256  # calibration images that the blocks are learned on
ITERATIONS = 400  # batches per block


def rapq_blocks(plan: Plan) -> None:
    """Learn the rounding of every block in order, on the integer network's own input of the block.

    A block keeps what was learned only if it brings the integer output nearer to the float network's, in the loss that
    was learned; corrections of biases come with it. WesnpuError where torch is missing.
    """
    try:
        import torch

        from quant.learned.block_reconstruction import Block, Schedule, blocks, loss_power, reconstruct
    except ModuleNotFoundError as error:
        raise WesnpuError(f"recipe part rapq-blocks needs {error.name}: install the extra 'train'") from error
    run, real = IntegerRun(plan, lower(plan), {}), first_images(plan, IMAGES)
    run.enter(real)
    threads, kept = torch.get_num_threads(), 0
    groups = blocks(plan.operations)
    try:
        torch.set_num_threads(1)
        for done, group in enumerate(groups, 1):
            target, power = _float(plan, group[-1].output, real), loss_power(plan.graph, group)
            before, given = _advance(run, group, target, power), _kept(plan, group)
            block, source = Block(plan, group), run.real(group[0].input).astype(np.float32)
            reconstruct(block, source, target, power, Schedule(iterations=ITERATIONS))
            block.commit()
            if _advance(run, group, target, power) < before:
                kept += 1
            else:
                _restore(plan, given)
                _advance(run, group, target, power)
            run.tensors = {group[-1].output: run.tensors[group[-1].output]}
            plan.report("blocks", done)
    finally:
        torch.set_num_threads(threads)
    plan.note(f"rapq_blocks: {kept} of {len(groups)} blocks keep their learned rounding, torch {torch.__version__}")


def _float(plan: Plan, tensor: str, real: np.ndarray) -> np.ndarray:
    runner = FloatRunner(to_onnx(plan.graph), [tensor])
    return np.concatenate([runner(part)[tensor] for part in np.array_split(real, max(1, len(real) // 16))])


def _advance(run: IntegerRun, group: list[Operation], target: np.ndarray, power: float) -> float:
    """Run the block as integers; sum |y - target|^power."""
    for operation in group:
        run.advance(operation)
    return float((np.abs(run.real(group[-1].output) - target) ** power).sum())


def _kept(plan: Plan, group: list[Operation]) -> list[tuple]:
    return [(item.name, plan.codes[item.name], plan.corrections.get(item.name)) for item in group]


def _restore(plan: Plan, given: list[tuple]) -> None:
    for name, codes, correction in given:
        plan.codes[name] = codes
        plan.corrections.pop(name, None)
        if correction is not None:
            plan.corrections[name] = correction
