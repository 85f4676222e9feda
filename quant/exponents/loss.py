"""The loss of a power-of-two network as a function of its exponents, measured on its integers."""

import math

import numpy as np

from golden.errors import WesnpuError
from quant.calibration.calibrate import mean_name, with_means
from quant.calibration.integer_run import IntegerRun, first_images
from quant.exponents.exponents import places
from quant.exponents.search import Choice
from quant.float_graph.onnxruntime_run import FloatRunner
from quant.passes.bias_correction import before_clamp_mean
from quant.plan.lower import lower
from quant.plan.plan import Plan


class ExponentLoss:
    """sum |y - y_float|^power over the outputs of the first `images` calibration images, y of the integer network.

    Where the recipe corrects biases (plan.wants_means), they are corrected on these images for every choice, so that
    the loss is that of the network as it will be. places: the exponents. tensors: int8 tensors of the best choice so
    far, from which a choice that differs only later starts. infeasible: how many choices could not be lowered.
    """

    def __init__(self, plan: Plan, images: int, power: float) -> None:
        """Needs a plan that can be lowered, with power-of-two scales."""
        self.plan, self.power, self.places = plan, power, places(plan)
        self.real = first_images(plan, images)
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
            run = IntegerRun(self.plan, lower(self.plan), dict(self.tensors))
            self._run(run, self.places[first].first if first else 0)
        except WesnpuError:
            self.infeasible += 1
            return math.inf
        value = sum(float((np.abs(run.real(name) - y) ** self.power).sum()) for name, y in self.float_outputs.items())
        if value < self.best:
            self.best, self.tensors, self.corrections = value, run.tensors, dict(self.plan.corrections)
        return value

    def put(self, choice: Choice) -> None:
        """Give the plan these exponents, and no corrections."""
        self.plan.corrections.clear()
        for place, exponent in zip(self.places, choice, strict=True):
            place.put(exponent)

    def _run(self, run: IntegerRun, first: int) -> None:
        """Run the layers from `first` on, with their biases corrected where the recipe does that."""
        if first == 0:
            run.enter(self.real)
        for operation in self.plan.operations[first:]:
            if self.float_means and operation.kind != "add":
                self.plan.corrections.pop(operation.name, None)
                integer = before_clamp_mean(self.plan, operation, run)
                self.plan.corrections[operation.name] = self.float_means[operation.output] - integer
            run.advance(operation)


def _float_values(plan: Plan, real: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The float network's outputs, and the means before each clamp (C,) where the recipe corrects biases."""
    graph = plan.graph
    wanted = [node.output for node in graph.nodes] if plan.wants_means else []
    values = FloatRunner(with_means(graph, wanted), [*graph.outputs, *map(mean_name, wanted)])(real)
    means = {name: values[mean_name(name)].astype(np.float64).mean(axis=0) for name in wanted}
    return {name: values[name] for name in graph.outputs}, means
