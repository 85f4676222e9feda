"""How recipes are named: SCALES[+PART...], each part adding passes at its place in the order of quantization.

    wes                 weight equalizing shifts, nearest codes
    wes+cle+sum+bc      the same after cross-layer equalization, with rounding that keeps sums and bias correction

The order of the parts in the name does not matter; the order of the passes is always that of `SLOTS`.
"""

import re
from dataclasses import dataclass, field

from golden.errors import WesnpuError

RANGES = ("activation_ranges", "fuse_additions", "tie_residual_scales")
#: Where a pass stands: over the float network, the order of its channels, how a channel's shift is stored, activation
#: ranges, scales of powers of two for activations, weight scales, codes, a search over the exponents, and what measures
#: the integer network.
SLOTS = (
    "float", "order", "field", "ranges", "activations", "scales", "rounding", "search", "compensation", "correction",
)
REPAIRED = ("rounding", "search", "compensation", "correction")  # slots whose result the re-check must see


@dataclass(frozen=True)
class Part:
    """What one word of a recipe stands for: passes by slot, and the only scales that it goes with (all if none).

    In passes {0}, {1} are the sizes in the name of the scales, which such a part needs.

    Two parts that fill the same slot exclude each other.
    """

    doc: str
    passes: dict[str, tuple[str, ...]]
    only: tuple[str, ...] = field(default=())


SCALES: dict[str, Part] = {
    "layerwise": Part("one scale per layer", {"scales": ("layerwise_scales",)}),
    "wes": Part("one scale per layer and a shift per channel (2008.05767)", {"scales": ("wes_scales",)}),
    "channelwise": Part("a float scale per channel: the baseline", {"scales": ("channelwise_scales",)}),
    **{
        f"pow2{name}": Part(
            f"powers of two {doc}, for activations too",
            {"activations": ("pow2_activation_scales",), "scales": (f"pow2{name.replace('-', '_')}_scales",)},
        )
        for name, doc in (
            ("", "per layer"),
            ("-channel", "per channel"),
            ("-msqe", "per layer, of least squared error (2210.03671)"),
            ("-msqe-channel", "per channel, of least squared error"),
        )
    },
}
#: Scales with sizes in their name: sl4x2 is sub_layer_scales for groups of 4 output channels and 2 blocks of inputs.
SIZED_SCALES = {r"sl(\d+)x(\d+)": "sub_layer_scales"}
SIZED = "slNxM"
POW2 = tuple(name for name in SCALES if name.startswith("pow2"))
PARTS: dict[str, Part] = {
    "cle": Part("cross-layer equalization (1906.04721)", {"float": ("cross_layer_equalization",)}),
    "cle-needed": Part("the same where the channels' ranges need it", {"float": ("equalize_where_needed",)}),
    "cle2": Part("the same with powers of two", {"float": ("cross_layer_equalization_pow2",)}),
    "dfq": Part(
        "equalization, absorption and analytic bias correction",
        {
            "float": ("cross_layer_equalization", "bias_absorption"),
            "correction": ("analytic_bias_correction",),
        },
    ),
    "reorder": Part(
        "channels of similar range side by side (PTQ-SL, 2110.07809)", {"order": ("channel_reordering:{0}",)},
        only=(SIZED,),
    ),
    "free": Part("activation ranges without images", {"ranges": ("data_free_ranges", *RANGES[1:])}),
    "phase": Part("the best layer scale within an octave", {"scales": ("wes_phase_scales",)}, only=("wes",)),
    "half": Part(
        "a 3-bit shift and a half-step bit instead of a 4-bit shift (Eq. 3h)", {"scales": ("wes_half_scales",)},
        only=("wes",),
    ),
    "shift3": Part("a 3-bit shift field", {"field": ("shift_field_of_3_bits",)}, only=("wes",)),
    "shift2": Part("a 2-bit shift field", {"field": ("shift_field_of_2_bits",)}, only=("wes",)),
    **{
        f"search{name}": Part(
            f"scales by the {doc} of each layer's output", {"scales": (f"sub_layer_search_{kind}:{{0}}:{{1}}",)},
            only=(SIZED,),
        )
        for name, kind, doc in (
            ("", "l2", "squared error"),
            ("-cosine", "cosine", "cosine similarity"),
            ("-hessian", "hessian", "squared error, weighted by the outputs' sensitivity,"),
        )
    },
    "sum": Part("rounding that keeps sums", {"rounding": ("round_weights_keeping_sums",)}),
    "ecr": Part(
        "error-compensated rounding (GPTQ, 2210.17323)",
        {"rounding": ("round_weights",), "compensation": ("compensated_rounding",)},
    ),
    "ecr-steps": Part(
        "the same, with each channel's step chosen by its output's error",
        {"rounding": ("round_weights",), "compensation": ("compensated_rounding_finer_steps",)},
        only=("wes", "channelwise"),
    ),
    "ecr-needed": Part("the latter below 8 bits", {"compensation": ("compensated_rounding_below_8_bits",)}),
    "asearch": Part(
        "activation scales by the squared error of what the reading layers make of them (2110.07809)",
        {"search": ("activation_search",)}, only=("layerwise", "wes", "channelwise", SIZED),
    ),
    "rapq": Part("search over all exponents together (RAPQ, 2204.12322)", {"search": ("rapq",)}, only=POW2),
    "rapq-blocks": Part(
        "rounding and biases learned block by block (RAPQ, 2204.12322), needs torch",
        {"rounding": ("round_weights",), "compensation": ("rapq_blocks",)},
    ),
    "bc": Part("empirical bias correction", {"correction": ("bias_correction",)}),
    "analytic": Part("bias correction from BatchNormalization", {"correction": ("analytic_bias_correction",)}),
}
WHOLE = {"auto": "wes+cle-needed+sum+ecr-needed+bc"}  # names of whole recipes
DEFAULTS = {"ranges": RANGES, "rounding": ("round_weights",)}


def parse(recipe: str) -> tuple[str, ...]:
    """The passes of a recipe in order; WesnpuError names the wrong, repeated or contradictory part."""
    scales, *words = WHOLE.get(recipe, recipe).split("+")
    sizes = scale_sizes(scales)
    slots, owner = DEFAULTS | _scales(recipe, scales), dict.fromkeys(SLOTS, "")
    for word in words:
        part = _part(recipe, scales, word)
        for slot, passes in part.passes.items():
            if owner[slot]:
                raise WesnpuError(f"recipe is {recipe!r}: {owner[slot]!r} and {word!r} exclude each other")
            owner[slot], slots[slot] = word, tuple(name.format(*sizes) for name in passes)
    return _in_order(slots)


def scale_sizes(scales: str) -> tuple[str, ...]:
    """The sizes in the name of the scales: 4 and 2 of sl4x2; none where it has none."""
    found = (re.fullmatch(pattern, scales) for pattern in SIZED_SCALES)
    return next((match.groups() for match in found if match), ())


def _scales(recipe: str, word: str) -> dict[str, tuple[str, ...]]:
    for pattern, name in SIZED_SCALES.items():
        if match := re.fullmatch(pattern, word):
            return {"scales": (":".join((name, *match.groups())),)}
    if word not in SCALES:
        allowed = f"{', '.join(SCALES)} or slNxM; or one of {', '.join(WHOLE)}"
        raise WesnpuError(f"recipe is {recipe!r}: must be SCALES[+PART...], SCALES one of {allowed}")
    return SCALES[word].passes


def _part(recipe: str, scales: str, word: str) -> Part:
    if word not in PARTS:
        raise WesnpuError(f"recipe is {recipe!r}: {word!r} must be one of the parts {', '.join(PARTS)}")
    part = PARTS[word]
    if part.only and (SIZED if scale_sizes(scales) else scales) not in part.only:
        raise WesnpuError(f"recipe is {recipe!r}: {word!r} goes with {', '.join(part.only)} only")
    return part


def _in_order(slots: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    passes = ["zero_dead_channels"]
    for slot in SLOTS:
        passes += slots.get(slot, ())
        if slot in slots and slot in REPAIRED:
            passes.append("recheck")
    return tuple(passes)
