"""Recipes: named passes in an explicit order, from a float network and calibration images to a quantized network."""

import copy
import hashlib
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from golden.errors import WesnpuError
from golden.layer import WEIGHT_BITS
from golden.network import Network, Preprocessing
from golden.requantize import GUARD_BITS_MAX
from quant.calibrate import batch_size
from quant.graph import Graph
from quant.images import Images
from quant.lower import lower
from quant.observers import observer_class
from quant.onnx_import import Imported
from quant.passes.activation_ranges import activation_ranges
from quant.passes.additions import fuse_additions, tie_residual_scales
from quant.passes.analytic_bias_correction import analytic_bias_correction
from quant.passes.bias_absorption import bias_absorption
from quant.passes.bias_correction import bias_correction
from quant.passes.cross_layer_equalization import cross_layer_equalization, cross_layer_equalization_pow2
from quant.passes.data_free_ranges import data_free_ranges
from quant.passes.dead_channels import zero_dead_channels
from quant.passes.equalize_where_needed import equalize_where_needed
from quant.passes.pow2_scales import (
    pow2_activation_scales,
    pow2_channel_scales,
    pow2_msqe_channel_scales,
    pow2_msqe_scales,
    pow2_scales,
)
from quant.passes.rapq import rapq
from quant.passes.recheck import recheck
from quant.passes.rounding import round_weights, round_weights_keeping_sums
from quant.passes.weight_scales import channelwise_scales, layerwise_scales, wes_phase_scales, wes_scales
from quant.plan import Options, Plan

PASSES: dict[str, Callable[[Plan], Any]] = {
    function.__name__: function
    for function in (
        zero_dead_channels, cross_layer_equalization, cross_layer_equalization_pow2, bias_absorption,
        activation_ranges, data_free_ranges, fuse_additions, tie_residual_scales, layerwise_scales, wes_scales,
        wes_phase_scales, channelwise_scales, round_weights, round_weights_keeping_sums, bias_correction,
        analytic_bias_correction, recheck, pow2_activation_scales, pow2_scales, pow2_channel_scales, rapq,
        pow2_msqe_scales, pow2_msqe_channel_scales, equalize_where_needed,
    )
}
RANGES = ("activation_ranges", "fuse_additions", "tie_residual_scales")
POW2_RANGES = (*RANGES, "pow2_activation_scales")
DATA_FREE_RANGES = ("data_free_ranges", "fuse_additions", "tie_residual_scales")
CLE, CLE_POW2 = ("cross_layer_equalization",), ("cross_layer_equalization_pow2",)
SUMS = "round_weights_keeping_sums"
DFQ = ("cross_layer_equalization", "bias_absorption")
BC, ANALYTIC = ("bias_correction", "recheck"), ("analytic_bias_correction", "recheck")
RAPQ = ("rapq", "recheck")
REPEAT_FROM = "tie_residual_scales"
REPEATS = 3  # rounds of the re-check


def _recipe(
    scales: str, last: tuple[str, ...] = (), *, first: tuple[str, ...] = (), ranges: tuple[str, ...] = RANGES,
    rounding: str = "round_weights",
) -> tuple[str, ...]:
    """first: passes over the float network; last: after the weights are rounded."""
    return ("zero_dead_channels", *first, *ranges, scales, rounding, "recheck", *last)


RECIPES: dict[str, tuple[str, ...]] = {
    "layerwise": _recipe("layerwise_scales"),
    "layerwise+bc": _recipe("layerwise_scales", BC),
    "layerwise+cle": _recipe("layerwise_scales", first=CLE),
    "layerwise+cle+bc": _recipe("layerwise_scales", BC, first=CLE),
    "layerwise+dfq": _recipe("layerwise_scales", ANALYTIC, first=DFQ),
    "wes": _recipe("wes_scales"),
    "wes+bc": _recipe("wes_scales", BC),
    "wes+analytic": _recipe("wes_scales", ANALYTIC),
    "wes+phase": _recipe("wes_phase_scales"),
    "wes+phase+sum": _recipe("wes_phase_scales", rounding=SUMS),
    "wes+sum": _recipe("wes_scales", rounding=SUMS),
    "wes+sum+bc": _recipe("wes_scales", BC, rounding=SUMS),
    "wes+cle": _recipe("wes_scales", first=CLE),
    "wes+cle+bc": _recipe("wes_scales", BC, first=CLE),
    "wes+cle2+bc": _recipe("wes_scales", BC, first=CLE_POW2),
    "wes+dfq": _recipe("wes_scales", ANALYTIC, first=DFQ),
    "wes+dfq+free": _recipe("wes_scales", ANALYTIC, first=DFQ, ranges=DATA_FREE_RANGES),
    "channelwise": _recipe("channelwise_scales"),
    "channelwise+bc": _recipe("channelwise_scales", BC),
    "channelwise+sum": _recipe("channelwise_scales", rounding=SUMS),
    "channelwise+cle+bc": _recipe("channelwise_scales", BC, first=CLE),
    "auto": _recipe("wes_scales", BC, first=("equalize_where_needed",), rounding=SUMS),
}
for _name, _scales in (("pow2", "pow2_scales"), ("pow2-channel", "pow2_channel_scales")):
    for _sum, _rounding in (("", "round_weights"), ("+sum", SUMS)):
        for _rest, _last in (("", ()), ("+bc", BC), ("+rapq", RAPQ), ("+rapq+bc", RAPQ + BC)):
            RECIPES[f"{_name}{_sum}{_rest}"] = _recipe(_scales, _last, ranges=POW2_RANGES, rounding=_rounding)
for _name, _scales in (("pow2-msqe", "pow2_msqe_scales"), ("pow2-msqe-channel", "pow2_msqe_channel_scales")):
    RECIPES[_name] = _recipe(_scales, ranges=POW2_RANGES)
    RECIPES[f"{_name}+sum+bc"] = _recipe(_scales, BC, ranges=POW2_RANGES, rounding=SUMS)
Progress = Callable[[str, int], None]


def recipe_passes(recipe: str) -> tuple[str, ...]:
    """The passes of a recipe in order; WesnpuError lists the recipes."""
    if recipe not in RECIPES:
        raise WesnpuError(f"recipe is {recipe!r}: must be one of {', '.join(RECIPES)}")
    return RECIPES[recipe]


def quantize(
    imported: Imported | Graph,
    calibration_images: np.ndarray | Iterable[np.ndarray],
    *,
    recipe: str = "wes",
    observer: str = "minmax",
    guard_bits: int = 7,
    weight_bits: int = 8,
    preprocessing: Preprocessing | None = None,
    labels: Iterable[str] = (),
    progress: Progress | None = None,
) -> Network:
    """The quantized network; two calls with the same arguments give byte-identical files.

    calibration_images: see quant.images.Images. progress: called with (pass, images or layers done). The log of the
    passes is in provenance["log"]. WesnpuError for a bad option, image, weight or a network that cannot be lowered.
    """
    return quantize_with_plan(
        imported, calibration_images, recipe=recipe, observer=observer, guard_bits=guard_bits, weight_bits=weight_bits,
        preprocessing=preprocessing, labels=labels, progress=progress,
    )[1]


def quantize_with_plan(
    imported: Imported | Graph,
    calibration_images: np.ndarray | Iterable[np.ndarray],
    *,
    recipe: str,
    labels: Iterable[str] = (),
    **options: Any,
) -> tuple[Plan, Network]:
    """As `quantize`, and the plan that the passes left: its graph is the float network that the tensors stand for."""
    plan = make_plan(imported, calibration_images, recipe=recipe, **options)
    count = execute(plan, recipe_passes(recipe))
    source = None if isinstance(imported, Graph) else imported.report.source
    facts = provenance(plan, source, recipe) | {"recheck_rounds": count}
    return plan, lower(plan, labels=tuple(labels), provenance=facts)


def make_plan(
    imported: Imported | Graph,
    calibration_images: np.ndarray | Iterable[np.ndarray],
    *,
    recipe: str,
    observer: str = "minmax",
    guard_bits: int = 7,
    weight_bits: int = 8,
    preprocessing: Preprocessing | None = None,
    progress: Progress | None = None,
) -> Plan:
    """A plan with a copy of the graph, before the first pass. Arguments and errors as `quantize`."""
    passes = recipe_passes(recipe)
    observer_class(observer)
    if guard_bits not in range(GUARD_BITS_MAX + 1) or weight_bits not in WEIGHT_BITS:
        allowed = f"guard_bits 0..{GUARD_BITS_MAX}, weight_bits one of {WEIGHT_BITS}"
        raise WesnpuError(f"guard_bits is {guard_bits}, weight_bits is {weight_bits}: must be {allowed}")
    graph = copy.deepcopy(imported if isinstance(imported, Graph) else imported.graph)
    images = Images(calibration_images, graph.shapes[graph.input], preprocessing)
    size = batch_size(graph)
    plan = Plan(graph, lambda: images.batches(size), preprocessing, Options(observer, guard_bits, weight_bits))
    plan.images, plan.progress, plan.wants_means = len(images), progress, "bias_correction" in passes
    return plan


def execute(plan: Plan, passes: tuple[str, ...]) -> int:
    """Run the passes; a failed re-check repeats from the ties, at most REPEATS rounds. Returns the rounds needed."""
    position, rounds = 0, 0
    while position < len(passes):
        changed = PASSES[passes[position]](plan)
        position += 1
        if changed:
            rounds += 1
            if rounds > REPEATS:
                raise WesnpuError(f"re-check still fails after {REPEATS} rounds: {plan.log[-1]}")
            plan.corrections.clear()
            position = passes.index(REPEAT_FROM)
    return rounds


def provenance(plan: Plan, source: str | None, recipe: str) -> dict[str, Any]:
    """Where the network comes from, as JSON-able values; no dates, no absolute paths: files are reproducible."""
    path = None if source is None else Path(source)
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path is not None and path.is_file() else None
    return {
        "source": None if path is None else path.name,
        "source_sha256": digest,
        "recipe": recipe,
        "passes": list(recipe_passes(recipe)),
        "observer": plan.options.observer,
        "guard_bits": plan.options.guard_bits,
        "weight_bits": plan.options.weight_bits,
        "calibration_images": plan.images,
        "versions": {name: version(name) for name in ("numpy", "onnx", "onnxruntime")},
        "log": list(plan.log),
    }
