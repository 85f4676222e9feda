"""Block reconstruction: learned rounding and biases that bring a block's output to the float network's, in torch.

BRECQ (Li et al. 2021, 2102.05426) with the loss exponent of RAPQ (2204.12322), which follows BatchNormalization.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from quant.float_graph.graph import Conv, Graph
from quant.learned.learned_rounding import LearnedRounding
from quant.learned.torch_operations import compute, rounded_activation
from quant.plan.operations import Operation
from quant.plan.plan import Plan, clamp_codes

POWER_GAIN = 0.1  # k of the loss exponent


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a block is learned: Adam, the regulariser from `warm_up` on with its beta falling linearly."""

    iterations: int = 400
    batch: int = 32
    rate: float = 1e-2
    bias_rate: float = 1e-3
    weight: float = 0.01
    warm_up: float = 0.2
    beta: tuple[float, float] = (20.0, 2.0)
    seed: int = 0

    def beta_at(self, iteration: int) -> float | None:
        """beta of the regulariser, None during the warm-up."""
        start = self.warm_up * self.iterations
        if iteration < start:
            return None
        first, last = self.beta
        return first + (last - first) * (iteration - start) / (self.iterations - start)


def blocks(operations: list[Operation]) -> list[list[Operation]]:
    """The operations in groups that pass a single tensor on; a group ends with a dense convolution, as far as possible.

    So an inverted residual with its addition is one block, and so are depthwise and pointwise in a row.
    """
    found: list[list[Operation]] = [[]]
    for index, operation in enumerate(operations):
        found[-1].append(operation)
        later = {name for other in operations[index + 1 :] for name in (other.input, other.residual)}
        alive = {other.output for other in operations[: index + 1]} & later
        if alive <= {operation.output} and operation.kind == "conv" and not operation.depthwise:
            found.append([])
    return [group for group in found if group]


def loss_power(graph: Graph, block: list[Operation]) -> float:
    """p = 1 + k sigmoid((sum gamma - 1) / C) of the block's last BatchNormalization; 2 where the block has none."""
    nodes = {node.name: node for node in graph.nodes if isinstance(node, Conv)}
    norms = [nodes[operation.name].batch_norm for operation in block if operation.name in nodes]
    known = [norm for norm in norms if norm is not None]
    if not known:
        return 2.0
    gamma = known[-1].gamma
    return 1 + POWER_GAIN / (1 + math.exp(-(float(gamma.sum()) - 1) / len(gamma)))


class Block:
    """The operations of one block with learned rounding; the input is int8, so are the tensors within."""

    def __init__(self, plan: Plan, operations: list[Operation]) -> None:
        self.plan, self.operations = plan, operations
        self.learned = {
            operation.name: LearnedRounding(operation, plan.codes[operation.name], plan.bias(operation))
            for operation in operations
            if operation.kind == "conv"
        }

    def forward(self, x: Tensor) -> Tensor:
        """The block's output before it is rounded to int8, for its input's real values (N, C, H, W)."""
        tensors = {self.operations[0].input: x}
        for operation in self.operations:
            weight, bias = self._parameters(operation)
            residual = None if operation.residual is None else tensors[operation.residual]
            y = compute(operation, tensors[operation.input], weight, bias, residual)
            if operation is not self.operations[-1]:
                scale = self.plan.scales[operation.output]
                y = rounded_activation(y, scale, clamp_codes(operation, scale))
            tensors[operation.output] = y
        return y

    def _parameters(self, operation: Operation) -> tuple[Tensor, Tensor]:
        if operation.name in self.learned:
            learned = self.learned[operation.name]
            return learned.weight(), learned.bias
        weights = self.plan.codes[operation.name]
        real = weights.codes * weights.unit
        return torch.from_numpy(real.astype(np.float32)), torch.from_numpy(operation.bias.astype(np.float32))

    def commit(self) -> None:
        """Put the hard codes and the bias corrections into the plan."""
        for operation in self.operations:
            if operation.name in self.learned:
                learned = self.learned[operation.name]
                self.plan.codes[operation.name] = learned.codes()
                bias = learned.bias.detach().numpy().astype(np.float64)
                self.plan.corrections[operation.name] = bias - operation.bias


def reconstruct(block: Block, x: np.ndarray, target: np.ndarray, power: float, schedule: Schedule) -> None:
    """Learn the block's rounding so that sum over channels of |y - target|^power is small on average.

    x, target: float32 (N, C, H, W), the block's integer input in real values and the float network's output. Two runs
    with one thread give the same bits.
    """
    inputs, targets = torch.from_numpy(x), torch.from_numpy(target)
    generator = torch.Generator().manual_seed(schedule.seed)
    rounding = [learned.v for learned in block.learned.values()]
    biases = [learned.bias for learned in block.learned.values()]
    groups = [{"params": rounding, "lr": schedule.rate}, {"params": biases, "lr": schedule.bias_rate}]
    optimizer = torch.optim.Adam(groups)
    for iteration in range(schedule.iterations):
        chosen = torch.randperm(len(inputs), generator=generator)[: schedule.batch]
        loss = (block.forward(inputs[chosen]) - targets[chosen]).abs().pow(power).sum(1).mean()
        beta = schedule.beta_at(iteration)
        if beta is not None:
            loss = loss + schedule.weight * sum(learned.undecided(beta) for learned in block.learned.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
