"""The loss of a power-of-two network as a function of its exponents, measured on its integers."""

import math

import numpy as np

from golden.errors import WesnpuError
from golden.network import Network
from golden.plan import LayerPlan
from quant.calibrate import mean_name, with_means
from quant.exponent_search import Choice
from quant.exponents import places
from quant.float_run import FloatRunner
from quant.input_scale import quantize_real
from quant.lower import lower, lower_layer
from quant.operations import Operation
from quant.passes.bias_correction import before_clamp_mean
from quant.plan import Plan


class ExponentLoss:
    """sum |y - y_float|^power over the outputs of the first `images` calibration images, y of the integer network.

    Where the recipe corrects biases (plan.wants_means), they are corrected on these images for every choice, so that
    the loss is that of the network as it will be. places: the exponents. tensors: int8 tensors of the best choice so
    far, from which a choice that differs only later starts. infeasible: how many choices could not be lowered.
    """

    def __init__(self, plan: Plan, images: int, power: float) -> None:
        """Needs a plan that can be lowered, with power-of-two scales."""
        self.plan, self.power, self.places = plan, power, places(plan)
        self.real = _first_images(plan, images)
        self.float_outputs, self.float_means = _float_values(plan, self.real)
        self.tensors: dict[str, np.ndarray] = {}
        self.corrections: dict[str, np.ndarray] = {}
        self.best, self.infeasible = math.inf, 0

    def __call__(self, choice: Choice, first: int) -> float:
        """The loss of a choice that differs from the best so far only from place `first` on; infinity if infeasible.

        Infeasible is what lowering refuses (m >= 1, m < 2^-17, s_u > s_y, a bias or sums beyond int32). A smaller loss
        than the best makes this choice the best.
        """
        self.put(choice)
        self.plan.corrections.update(self.corrections)
        try:
            run = _Run(self.plan, lower(self.plan), dict(self.tensors))
            run.layers(self.real, self.places[first].first if first else 0, self.float_means)
        except WesnpuError:
            self.infeasible += 1
            return math.inf
        value = self._distance(run.network, run.tensors)
        if value < self.best:
            self.best, self.tensors, self.corrections = value, run.tensors, dict(self.plan.corrections)
        return value

    def put(self, choice: Choice) -> None:
        """Give the plan these exponents, and no corrections."""
        self.plan.corrections.clear()
        for place, exponent in zip(self.places, choice, strict=True):
            place.put(exponent)

    def _distance(self, network: Network, tensors: dict[str, np.ndarray]) -> float:
        total = 0.0
        for name, wanted in self.float_outputs.items():
            tensor = network.tensors[name]
            real = (tensors[name].astype(np.float64) - tensor.zero_point) * tensor.scale
            total += float((np.abs(real - wanted) ** self.power).sum())
        return total


class _Run:
    """One choice on the images, from some layer on; the means of its tensors are what bias correction asks for."""

    def __init__(self, plan: Plan, network: Network, tensors: dict[str, np.ndarray]) -> None:
        self.plan, self.network, self.tensors = plan, network, tensors

    def layers(self, real: np.ndarray, first: int, float_means: dict[str, np.ndarray]) -> None:
        """Fill `tensors` from layer `first` on, with the biases corrected to `float_means` where there are any."""
        if first == 0:
            scale = self.plan.scales[self.network.input]
            self.tensors[self.network.input] = quantize_real(real, scale.scale, scale.zero_point)
        for operation in self.plan.operations[first:]:
            if float_means and operation.kind != "add":
                self.plan.corrections.pop(operation.name, None)
                wanted = float_means[operation.output]
                self.plan.corrections[operation.name] = wanted - before_clamp_mean(self.plan, operation, self)
            self.tensors[operation.output] = self._layer(operation)

    def _layer(self, operation: Operation) -> np.ndarray:
        layer = lower_layer(self.plan, operation)
        layer.check_accumulator(*self.network.codes_read(layer))
        fast, images = LayerPlan(self.network, layer), self.tensors[layer.input]
        residuals = [None] * len(images) if layer.residual is None else self.tensors[layer.residual.tensor]
        return np.stack([fast.run(*pair) for pair in zip(images, residuals, strict=True)])

    def mean(self, tensor: str) -> np.ndarray:
        """Mean code over the images, float64 (C, H, W)."""
        values = self.tensors[tensor]
        return values.sum(axis=0, dtype=np.int32) / len(values)

    def shape(self, tensor: str) -> tuple[int, int, int]:
        """(C, H, W) of a tensor."""
        return self.network.tensors[tensor].shape


def _float_values(plan: Plan, real: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The float network's outputs, and the means before each clamp (C,) where the recipe corrects biases."""
    graph = plan.graph
    wanted = [node.output for node in graph.nodes] if plan.wants_means else []
    values = FloatRunner(with_means(graph, wanted), [*graph.outputs, *map(mean_name, wanted)])(real)
    means = {name: values[mean_name(name)].astype(np.float64).mean(axis=0) for name in wanted}
    return {name: values[name] for name in graph.outputs}, means


def _first_images(plan: Plan, count: int) -> np.ndarray:
    parts: list[np.ndarray] = []
    for batch in plan.batches():
        parts.append(batch[: count - sum(map(len, parts))])
        if sum(map(len, parts)) == count:
            break
    return np.concatenate(parts)
