"""Learned rounding of one layer's weights (AdaRound, Nagel et al. 2020, 2004.10568), in torch."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from quant.plan.operations import Operation
from quant.weights.weights import WeightCodes

STRETCH = (-0.1, 1.1)  # the sigmoid is stretched to these ends and cut to 0..1


class LearnedRounding(nn.Module):
    """Codes floor(w / u) + h, u the real value of one step: h in 0..1 while it is learned, then 0 or 1 for good.

    h = clip(1.2 sigmoid(v) - 0.1, 0, 1) starts at the fraction of w / u, so that `weight` starts at w (clipped to the
    grid). bias: the real bias, learned as well, since a bias of int32 costs nothing.
    """

    def __init__(self, operation: Operation, weights: WeightCodes, bias: np.ndarray) -> None:
        """weights: scales and shifts that stay as they are; bias: float64 (O,)."""
        super().__init__()
        self.given, self.step = weights, 1 << (8 - weights.bits)
        self.limit = (1 << (weights.bits - 1)) - 1
        unit = weights.unit * self.step
        exact = np.clip(operation.weight / unit, -self.limit, self.limit)
        self.unit, self.floor = _tensor(unit), _tensor(np.floor(exact))
        low, high = STRETCH
        share = (_tensor(exact - np.floor(exact)) - low) / (high - low)
        self.v = nn.Parameter(torch.log(share / (1 - share)))
        self.bias = nn.Parameter(_tensor(bias))

    def share(self) -> Tensor:
        """h, shaped like the weight."""
        low, high = STRETCH
        return (torch.sigmoid(self.v) * (high - low) + low).clamp(0, 1)

    def weight(self) -> Tensor:
        """Real weights with h between 0 and 1: what the loss is learned with."""
        return (self.floor + self.share()).clamp(-self.limit, self.limit) * self.unit

    def undecided(self, beta: float) -> Tensor:
        """The regulariser sum(1 - |2h - 1|^beta): 0 when every h is 0 or 1; the larger beta, the flatter in between."""
        return (1 - (2 * self.share() - 1).abs().pow(beta)).sum()

    def codes(self) -> WeightCodes:
        """The codes with every h at least 1/2 taken as 1, every other as 0."""
        hard = (self.floor + (self.share() >= 0.5)).clamp(-self.limit, self.limit) * self.step
        return replace(self.given, codes=hard.detach().numpy().astype(np.int8))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
