"""Names of recipes: what they stand for, and which are refused."""

import pytest

from golden.errors import WesnpuError
from quant.grammar import PARTS, SCALES, SIZED, parse
from quant.recipe import RECIPES, pass_of

START = ("zero_dead_channels",)
RANGES = ("activation_ranges", "fuse_additions", "tie_residual_scales")
CLE = ("cross_layer_equalization",)
PLAIN = ("round_weights", "recheck")


@pytest.mark.parametrize(
    ("recipe", "passes"),
    [
        ("layerwise", (*START, *RANGES, "layerwise_scales", *PLAIN)),
        ("wes+bc", (*START, *RANGES, "wes_scales", *PLAIN, "bias_correction", "recheck")),
        ("wes+sum", (*START, *RANGES, "wes_scales", "round_weights_keeping_sums", "recheck")),
        ("wes+phase", (*START, *RANGES, "wes_phase_scales", *PLAIN)),
        (
            "wes+dfq+free",
            (
                *START, "cross_layer_equalization", "bias_absorption", "data_free_ranges", *RANGES[1:], "wes_scales",
                *PLAIN, "analytic_bias_correction", "recheck",
            ),
        ),
        (
            "wes+shift3+ecr+cle+bc",
            (
                *START, "cross_layer_equalization", "shift_field_of_3_bits", *RANGES, "wes_scales", *PLAIN,
                "compensated_rounding", "recheck", "bias_correction", "recheck",
            ),
        ),
        (
            "pow2-channel+rapq+bc",
            (
                *START, *RANGES, "pow2_activation_scales", "pow2_channel_scales", *PLAIN, "rapq", "recheck",
                "bias_correction", "recheck",
            ),
        ),
        ("sl8x2+reorder+cle", (*START, *CLE, "channel_reordering:8", *RANGES, "sub_layer_scales:8:2", *PLAIN)),
        ("sl8x2", (*START, *RANGES, "sub_layer_scales:8:2", *PLAIN)),
    ],
)
def test_a_name_states_its_passes_in_order(recipe, passes):
    assert parse(recipe) == passes


FIRST = {"cle": CLE, "cle2": ("cross_layer_equalization_pow2",), "dfq": (*CLE, "bias_absorption")}
LAST = {
    "bc": ("bias_correction", "recheck"), "rapq": ("rapq", "recheck"),
    "analytic": ("analytic_bias_correction", "recheck"), "dfq": ("analytic_bias_correction", "recheck"),
}
KEPT = """
    layerwise layerwise+bc layerwise+cle layerwise+cle+bc layerwise+dfq wes wes+bc wes+analytic wes+phase
    wes+phase+sum wes+sum wes+sum+bc wes+cle wes+cle+bc wes+cle2+bc wes+dfq wes+dfq+free channelwise
    channelwise+bc channelwise+sum channelwise+cle+bc pow2 pow2+bc pow2+rapq pow2+rapq+bc pow2+sum pow2+sum+bc
    pow2+sum+rapq pow2+sum+rapq+bc pow2-channel pow2-channel+bc pow2-channel+rapq pow2-channel+rapq+bc
    pow2-channel+sum pow2-channel+sum+bc pow2-channel+sum+rapq pow2-channel+sum+rapq+bc pow2-msqe
    pow2-msqe+sum+bc pow2-msqe-channel pow2-msqe-channel+sum+bc
""".split()


@pytest.mark.parametrize("recipe", KEPT)
def test_names_in_files_and_tables_keep_their_passes(recipe):
    scales, *words = recipe.split("+")
    passes = START + tuple(name for word in words for name in FIRST.get(word, ()))
    passes += ("data_free_ranges", *RANGES[1:]) if "free" in words else RANGES
    passes += ("pow2_activation_scales",) * scales.startswith("pow2")
    passes += (f"{scales.replace('-', '_')}{'_phase' * ('phase' in words)}_scales",)
    passes += ("round_weights_keeping_sums" if "sum" in words else "round_weights", "recheck")
    assert parse(recipe) == passes + tuple(name for word in words for name in LAST.get(word, ()))


def test_the_order_of_the_parts_does_not_matter():
    assert parse("wes+cle+sum+bc") == parse("wes+bc+sum+cle")


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_pass_of_a_named_recipe_exists(recipe):
    assert all(callable(pass_of(name)) for name in RECIPES[recipe])


@pytest.mark.parametrize("word", PARTS)
def test_every_part_changes_a_recipe_and_exists(word):
    scales = PARTS[word].only[0].replace(SIZED, "sl4x2") if PARTS[word].only else "wes"
    assert parse(f"{scales}+{word}") != parse(scales)
    assert all(callable(pass_of(name)) for name in parse(f"{scales}+{word}"))


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("best", "must be SCALES.*layerwise, wes"),
        ("", "must be SCALES"),
        ("wes+", "'' must be one of the parts cle"),
        ("wes+fast", "'fast' must be one of the parts"),
        ("wes+bc+bc", "'bc' and 'bc' exclude each other"),
        ("wes+cle+dfq", "'cle' and 'dfq' exclude"),
        ("wes+sum+ecr", "'sum' and 'ecr' exclude"),
        ("layerwise+half", "'half' goes with wes only"),
        ("wes+rapq", "'rapq' goes with pow2"),
        ("wes+reorder", "'reorder' goes with slNxM only"),
        ("sl4x2+half", "'half' goes with wes only"),
        ("sl0x1", "sub-layer group is 0"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(recipe, message):
    with pytest.raises(WesnpuError, match=message):
        [pass_of(name) for name in parse(recipe)]


def test_scales_and_parts_have_names_of_their_own():
    assert not set(SCALES) & set(PARTS)
