"""Recipes: named passes in an explicit order, from a float network and calibration images to a quantized network."""

import copy
import hashlib
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from golden.errors import WesnpuError
from golden.layer import WEIGHT_BITS
from golden.network import Network, Preprocessing
from golden.requantize import GUARD_BITS_MAX
from quant.calibration.calibrate import batch_size
from quant.calibration.observers import observer_class
from quant.float_graph.graph import Graph
from quant.grammar import parse
from quant.images.batches import Images
from quant.onnx_import import Imported
from quant.passes.activation_ranges import activation_ranges
from quant.passes.activation_search import activation_search
from quant.passes.additions import fuse_additions, tie_residual_scales
from quant.passes.analytic_bias_correction import analytic_bias_correction
from quant.passes.bias_absorption import bias_absorption
from quant.passes.bias_correction import bias_correction
from quant.passes.channel_reordering import channel_reordering
from quant.passes.compensated_rounding import (
    compensated_rounding,
    compensated_rounding_below_8_bits,
    compensated_rounding_finer_steps,
)
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
from quant.passes.rapq_blocks import rapq_blocks
from quant.passes.recheck import recheck
from quant.passes.rounding import round_weights, round_weights_keeping_sums
from quant.passes.shift_fields import shift_field_of_2_bits, shift_field_of_3_bits
from quant.passes.sub_layer_scales import sub_layer_scales
from quant.passes.sub_layer_search import sub_layer_search_cosine, sub_layer_search_hessian, sub_layer_search_l2
from quant.passes.weight_scales import (
    channelwise_scales,
    layerwise_scales,
    wes_half_scales,
    wes_phase_scales,
    wes_scales,
)
from quant.plan.lower import lower
from quant.plan.plan import Options, Plan
from quant.plan.scales import ACTIVATION_BITS

PASSES: dict[str, Callable[[Plan], Any]] = {
    function.__name__: function
    for function in (
        zero_dead_channels, cross_layer_equalization, cross_layer_equalization_pow2, bias_absorption,
        activation_ranges, data_free_ranges, fuse_additions, tie_residual_scales, layerwise_scales, wes_scales,
        wes_phase_scales, channelwise_scales, round_weights, round_weights_keeping_sums, bias_correction,
        analytic_bias_correction, recheck, pow2_activation_scales, pow2_scales, pow2_channel_scales, rapq,
        pow2_msqe_scales, pow2_msqe_channel_scales, wes_half_scales, shift_field_of_2_bits, shift_field_of_3_bits,
        compensated_rounding, compensated_rounding_below_8_bits, compensated_rounding_finer_steps,
        equalize_where_needed, activation_search, rapq_blocks,
    )
}
SIZED_PASSES: dict[str, Callable[..., Callable[[Plan], Any]]] = {
    function.__name__: function for function in (
        sub_layer_scales, channel_reordering, sub_layer_search_l2, sub_layer_search_cosine, sub_layer_search_hessian,
    )
}
REPEAT_FROM = "tie_residual_scales"
REPEATS = 3  # rounds of the re-check
#: Recipes worth a name in lists; any other SCALES[+PART...] of quant.grammar works as well.
USUAL = (
    "layerwise", "layerwise+bc", "layerwise+cle", "layerwise+cle+bc", "layerwise+dfq", "wes", "wes+bc", "wes+analytic",
    "wes+phase", "wes+phase+sum", "wes+sum", "wes+sum+bc", "wes+cle", "wes+cle+bc", "wes+cle2+bc", "wes+dfq",
    "wes+dfq+free", "wes+half", "wes+shift3", "wes+shift2", "wes+ecr", "wes+ecr+bc", "wes+half+ecr+bc",
    "wes+ecr-steps+bc", "sl4x1+bc", "sl4x4+bc", "pow2", "pow2+sum+bc", "pow2+rapq", "pow2-channel",
    "pow2-channel+sum+bc", "pow2-channel+rapq", "pow2-msqe", "pow2-msqe+sum+bc", "pow2-msqe-channel", "channelwise",
    "channelwise+bc", "channelwise+sum", "channelwise+cle+bc", "channelwise+ecr+bc", "channelwise+ecr-steps+bc", "auto",
)
RECIPES: dict[str, tuple[str, ...]] = {name: parse(name) for name in USUAL}
Progress = Callable[[str, int], None]


def pass_of(name: str) -> Callable[[Plan], Any]:
    """The pass of that name; `sub_layer_scales:4:2` is that pass with the sizes 4 and 2."""
    word, *sizes = name.split(":")
    return SIZED_PASSES[word](*map(int, sizes)) if sizes else PASSES[word]


def recipe_passes(recipe: str) -> tuple[str, ...]:
    """The passes of a recipe in order; WesnpuError says which part of its name is wrong."""
    return parse(recipe)


def quantize(
    imported: Imported | Graph,
    calibration_images: np.ndarray | Iterable[np.ndarray],
    *,
    recipe: str = "wes",
    observer: str = "minmax",
    guard_bits: int = 7,
    weight_bits: int = 8,
    activation_bits: int = 8,
    preprocessing: Preprocessing | None = None,
    labels: Iterable[str] = (),
    progress: Progress | None = None,
) -> Network:
    """The quantized network; two calls with the same arguments give byte-identical files.

    calibration_images: see quant.images.batches.Images. progress: called with (pass, images or layers done). The log of
    the passes is in provenance["log"]. WesnpuError for a bad option, image, weight or a network that cannot be lowered.
    """
    return quantize_with_plan(
        imported, calibration_images, recipe=recipe, observer=observer, guard_bits=guard_bits, weight_bits=weight_bits,
        activation_bits=activation_bits, preprocessing=preprocessing, labels=labels, progress=progress,
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
    activation_bits: int = 8,
    preprocessing: Preprocessing | None = None,
    progress: Progress | None = None,
) -> Plan:
    """A plan with a copy of the graph, before the first pass. Arguments and errors as `quantize`."""
    passes = recipe_passes(recipe)
    observer_class(observer)
    _check("guard_bits", guard_bits, range(GUARD_BITS_MAX + 1))
    _check("weight_bits", weight_bits, WEIGHT_BITS)
    _check("activation_bits", activation_bits, ACTIVATION_BITS)
    graph = copy.deepcopy(imported if isinstance(imported, Graph) else imported.graph)
    images = Images(calibration_images, graph.shapes[graph.input], preprocessing)
    size = batch_size(graph)
    options = Options(observer, guard_bits, weight_bits, activation_bits)
    plan = Plan(graph, lambda: images.batches(size), preprocessing, options)
    plan.images, plan.progress, plan.wants_means = len(images), progress, "bias_correction" in passes
    return plan


def _check(name: str, value: int, allowed: Sequence[int]) -> None:
    if value not in allowed:
        raise WesnpuError(f"{name} is {value}: must be one of {', '.join(map(str, allowed))}")


@threadpool_limits.wrap(limits=1, user_api="blas")
def execute(plan: Plan, passes: tuple[str, ...]) -> int:
    """Run the passes; a failed re-check repeats from the ties, at most REPEATS rounds. Returns the rounds needed.

    Linear algebra has one thread meanwhile: BLAS adds up in another order with more, and a sum that differs in its last
    bit can end in another code.
    """
    position, rounds = 0, 0
    while position < len(passes):
        changed = pass_of(passes[position])(plan)
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
        "activation_bits": plan.options.activation_bits,
        "calibration_images": plan.images,
        "versions": {name: version(name) for name in ("numpy", "onnx", "onnxruntime")},
        "log": list(plan.log),
    }
