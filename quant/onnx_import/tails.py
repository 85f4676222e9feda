"""Operators at the end of a network that are cut off and left to the host."""

from quant.onnx_import.refuse import refuse
from quant.onnx_import.step import Step
from quant.onnx_import.values import Tail, View

BEGINS = frozenset(("Softmax", "LogSoftmax", "Sigmoid", "ArgMax"))
CONTINUES = BEGINS | {"Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Dropout"}


def begin(step: Step) -> Tail:
    """Cut: the host computes this operator from the tensor before it."""
    view: View = step.settled()
    return Tail(view, step.node.input[0], (str(step),))


def carry_on(step: Step) -> Tail:
    """An operator on what the host computes is the host's too, when it is one of a few."""
    tail = next(v for v in step.inputs if isinstance(v, Tail))
    if step.node.op_type not in CONTINUES:
        refuse(
            step.node,
            f"it uses {tail.operators[0]} inside the network",
            f"{', '.join(sorted(BEGINS))} at the end only, where the host computes them",
        )
    return Tail(tail.view, tail.source, (*tail.operators, str(step)))
