"""Power-of-two weight scales s = 2^k learned by gradients (2210.03671), in torch."""

import torch
from torch import Tensor, nn

OUTLIER = 2.0  # standard deviations beyond which a weight does not count for the error
START = 3.0  # standard deviations that the largest code reaches at the start
DECAY = 0.99  # of the moving average that becomes the stable exponent


def quantized(rows: Tensor, exponent: Tensor, limit: int) -> Tensor:
    """2^k clip(round(w / 2^k), -limit, limit) for rows (R, K) and whole or real k (R, 1).

    The gradient takes rounding for the addition of a constant: 1 for a weight within the grid, 0 beyond it; for k
    2^k ln 2 (c - w / 2^k) within, c the code, and +-2^k ln 2 limit beyond.
    """
    scale = torch.exp2(exponent)
    ratio = rows / scale
    added = (torch.round(ratio) - ratio).detach()
    return (ratio + added).clamp(-limit, limit) * scale


def weighted_error(rows: Tensor, exponent: Tensor, limit: int) -> Tensor:
    """(R, 1): sum of squared errors over the weights with |w| <= 2 sigma, sigma the row's standard deviation."""
    counted = rows.abs() <= OUTLIER * rows.std(dim=1, keepdim=True, correction=0)
    error = (quantized(rows, exponent, limit) - rows).square()
    return torch.where(counted, error, torch.zeros_like(error)).sum(dim=1, keepdim=True)


def lower_error_exponent(rows: Tensor, exponent: Tensor, limit: int) -> Tensor:
    """Of floor(k) and ceil(k) the one with the smaller weighted error, per row; ceil where both are equal."""
    low, high = torch.floor(exponent), torch.ceil(exponent)
    better = weighted_error(rows, low, limit) < weighted_error(rows, high, limit)
    return torch.where(better, low, high)


class LearnedExponents(nn.Module):
    """One exponent for a layer, or one for each output channel, and the layer's weights quantized with them.

    k starts at log2(3 sigma / limit). Forward uses floor or ceiling of k, whichever has the lower error; the gradient
    passes on to k as if it were k itself. In training a moving average of the exponents used is kept; `freeze` makes
    its rounding to the lower error the exponents for good.
    """

    average: Tensor

    def __init__(self, weight: Tensor, bits: int, *, per_channel: bool) -> None:
        """weight: float32 (O, I, KH, KW), the start; bits 2..8: codes -(2^(bits-1) - 1)..2^(bits-1) - 1."""
        super().__init__()
        self.limit, self.count = (1 << (bits - 1)) - 1, len(weight) if per_channel else 1
        sigma = weight.reshape(self.count, -1).std(dim=1, keepdim=True, correction=0)
        start = torch.log2(START * sigma.clamp(min=2.0**-40) / self.limit)
        self.k = nn.Parameter(start)
        self.register_buffer("average", start.clone())
        self.frozen: Tensor | None = None

    def exponent(self, weight: Tensor) -> Tensor:
        """The whole exponents (R, 1) that forward uses now."""
        if self.frozen is not None:
            return self.frozen
        return lower_error_exponent(self._rows(weight).detach(), self.k.detach(), self.limit)

    def forward(self, weight: Tensor) -> Tensor:
        """The quantized weights, with gradients for the weights and, until frozen, for k."""
        used = self.exponent(weight)
        if self.training and self.frozen is None:
            self.average.mul_(DECAY).add_((1 - DECAY) * used)
        passed = used if self.frozen is not None else used + (self.k - self.k.detach())
        return quantized(self._rows(weight), passed, self.limit).reshape(weight.shape)

    def freeze(self, weight: Tensor) -> None:
        """Fix the exponents at the moving average, rounded to the lower error."""
        self.frozen = lower_error_exponent(self._rows(weight).detach(), self.average, self.limit)

    def _rows(self, weight: Tensor) -> Tensor:
        return weight.reshape(self.count, -1)
