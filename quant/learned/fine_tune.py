"""Fine-tuning of a power-of-two network with learned exponents (2210.03671), in torch; ends in integer codes.

Quantization-aware training: it needs labelled training images, so its results never stand beside post-training ones.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from golden.errors import WesnpuError
from golden.requantize import SHIFT_MAX
from quant.learned.gradient_exponents import LearnedExponents
from quant.learned.torch_operations import compute, rounded_activation
from quant.passes.recheck import recheck
from quant.plan.operations import Operation
from quant.plan.plan import Plan, clamp_codes
from quant.weights.weights import WeightCodes, rounded


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Adam with cosine decay; exponents are frozen after the share `freeze` of the steps."""

    steps: int = 300
    batch: int = 128
    rate: float = 5e-4
    exponent_rate: float = 1e-2
    freeze: float = 0.7
    seed: int = 0


class FineTuned(nn.Module):
    """The operations of a plan with learned weights, biases and exponents; activations keep the plan's scales."""

    def __init__(self, plan: Plan, *, per_channel: bool) -> None:
        """plan: with power-of-two scales, ready to lower. per_channel: an exponent per output channel, else layer."""
        super().__init__()
        self.plan, self.bits = plan, plan.options.weight_bits
        convolutions = [operation for operation in plan.operations if operation.kind == "conv"]
        self.index = {operation.name: index for index, operation in enumerate(convolutions)}
        weights = [torch.from_numpy(operation.weight.astype(np.float32)) for operation in convolutions]
        biases = [torch.from_numpy(plan.bias(operation).astype(np.float32)) for operation in convolutions]
        self.weights, self.biases = nn.ParameterList(weights), nn.ParameterList(biases)
        self.layers = [LearnedExponents(weight, self.bits, per_channel=per_channel) for weight in weights]
        self.exponents = nn.ModuleList(self.layers)

    def forward(self, x: Tensor) -> Tensor:
        """The first output's real values (N, classes), every tensor rounded to its codes."""
        plan = self.plan
        tensors = {plan.graph.input: rounded_activation(x, plan.scales[plan.graph.input], (-128, 127))}
        for operation in plan.operations:
            weight, bias = self._operands(operation)
            residual = None if operation.residual is None else tensors[operation.residual]
            y = compute(operation, tensors[operation.input], weight, bias, residual)
            scale = plan.scales[operation.output]
            tensors[operation.output] = rounded_activation(y, scale, clamp_codes(operation, scale))
        return tensors[plan.graph.outputs[0]].flatten(1)

    def _operands(self, operation: Operation) -> tuple[Tensor, Tensor]:
        if operation.name not in self.index:
            real = self.plan.codes[operation.name].real
            return torch.from_numpy(real.astype(np.float32)), torch.from_numpy(operation.bias.astype(np.float32))
        index = self.index[operation.name]
        return self.layers[index](self.weights[index]), self.biases[index]

    def freeze(self) -> None:
        """Freeze all exponents."""
        for exponents, weight in zip(self.layers, self.weights, strict=True):
            exponents.freeze(weight)

    def commit(self) -> None:
        """Put weights, codes and biases into the plan; WesnpuError where the engine cannot run them."""
        for operation in self.plan.operations:
            if operation.name in self.index:
                index = self.index[operation.name]
                operation.weight = self.weights[index].detach().numpy().astype(np.float64)
                operation.bias = self.biases[index].detach().numpy().astype(np.float64)
                exponent = self.layers[index].exponent(self.weights[index])
                self.plan.codes[operation.name] = codes_of(operation.weight, exponent.numpy().ravel(), self.bits)
        self.plan.corrections.clear()
        if recheck(self.plan):
            raise WesnpuError(f"fine-tuning left scales that the engine cannot run: {self.plan.log[-1]}")


def codes_of(weight: np.ndarray, exponents: np.ndarray, bits: int) -> WeightCodes:
    """Codes at 2^k, k (O,) or (1,): the largest is the layer's, the others are shifts of it, at most 15."""
    own = np.broadcast_to(exponents, len(weight)).astype(np.int64)
    top = int(own.max())
    shift = np.minimum(top - own, SHIFT_MAX).astype(np.uint8)
    weights = WeightCodes(np.zeros(weight.shape, np.int8), 2.0 ** (top - (8 - bits)), shift, None, bits)
    weights.codes = rounded(weight, weights.unit, bits)
    return weights


def fine_tune(
    plan: Plan, images: np.ndarray, labels: np.ndarray, schedule: Schedule, *, per_channel: bool = True,
    progress: Callable[[int, float], None] | None = None,
) -> None:
    """Train weights, biases and exponents by cross-entropy and leave their codes in the plan.

    images: float32 (N, C, H, W), the network's input; labels: (N,). Two runs with one thread give the same bits.
    progress: told the step and its loss.
    """
    net, threads = FineTuned(plan, per_channel=per_channel), torch.get_num_threads()
    exponents = [layer.k for layer in net.layers]
    slow = [*net.weights, *net.biases]
    groups = [{"params": slow, "lr": schedule.rate}, {"params": exponents, "lr": schedule.exponent_rate}]
    optimizer = torch.optim.Adam(groups)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, schedule.steps)
    generator = torch.Generator().manual_seed(schedule.seed)
    inputs, wanted = torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))
    torch.set_num_threads(1)
    try:
        for step in range(schedule.steps):
            if step == int(schedule.freeze * schedule.steps):
                net.freeze()
            chosen = torch.randint(len(inputs), (schedule.batch,), generator=generator)
            loss = nn.functional.cross_entropy(net(inputs[chosen]), wanted[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            decay.step()
            if progress is not None:
                progress(step + 1, loss.item())
        net.eval()
        net.commit()
    finally:
        torch.set_num_threads(threads)
    told = f"{schedule.steps} steps of {schedule.batch}, loss {loss.item():.4f}"
    plan.note(f"fine_tune: {told}, torch {torch.__version__}")
