"""Rows, tables, the recommendation and the judged statements, from results made up so that all figures are known."""

import csv
import io

import numpy as np
import pytest

from quant.accuracy import bars, plan, plots, table
from quant.accuracy.cost import MULTIPLIERS
from quant.accuracy.document import Section, document, finder
from quant.accuracy.duration import Duration, duration
from quant.accuracy.measure import Measured
from quant.accuracy.method import ORT_CHANNEL, Method
from quant.accuracy.recommend import cheapest, effort, nearest
from quant.accuracy.run import Unit
from quant.accuracy.summary import Spread, rows

LABELS = np.arange(100) % 4
FLOAT = np.where(np.arange(100) < 90, LABELS, 9)  # 90 of 100 are right


class Made:
    """Stands for a Comparison of one subject: labels, the float network's scores and results, draw by draw."""

    def __init__(self, results, labels=LABELS, kind=plan.IMAGENET):
        self.subjects = [self]
        self.labels, self.labelled, self.draws = labels, bool((labels >= 0).all()), (1, 2, 3)
        self.name, self.kind, self.note = "made", kind, "A note."
        self.references = [np.eye(10)[FLOAT]]
        self.results, self.times = {}, {}
        for method, draws in results.items():
            for draw, one in enumerate(draws):


                self.results[Unit(0, method, draw)] = one


def result(wrong=(), **facts):
    """Float's classes but on the images `wrong`, where the class is 8."""
    predicted = FLOAT.copy()
    predicted[list(wrong)] = 8
    given = {"sqnr": 20.0, "seconds": 2.0, "wall": 1.0, "bytes": 4.5, "multiplier": MULTIPLIERS[1], "engine": True}
    return Measured(predicted, **{**given, **facts})


def row_of(*draws, recipe="wes", **options):
    method = Method(recipe)
    return rows(Made({method: draws}, **options), 0, [method])[0]


def test_a_row_has_median_and_range_over_the_draws():
    row = row_of(result(), result([0, 1, 2, 95]), result([0]))
    assert row.top1.values == pytest.approx((90, 87, 89)) and row.top1.median == pytest.approx(89)
    assert row.top1.text() == "89.0 (87.0..90.0)" and Spread((1.0, 1.0)).text() == "1.0"
    assert row.loss.median == pytest.approx(1) and row.agreement.median == pytest.approx(99)
    assert row.draws == 3 and row.p is None
    assert row.error == pytest.approx(100 * np.sqrt(0.01 / 100))


def test_without_labels_there_is_agreement_only():
    row = row_of(result([0, 1, 95]), labels=np.full(100, -1))
    assert row.top1 is None and row.loss is None and row.agreement.median == pytest.approx(97)
    assert row.error == pytest.approx(100 * np.sqrt(0.03 / 100))


def test_p_is_against_the_baseline_of_the_same_draw():
    mine, theirs = Method("wes"), Method(ORT_CHANNEL)
    draws = [result(), result(), result()], [result(range(6)), result(), result()]
    found, baseline = rows(Made({mine: draws[0], theirs: draws[1]}), 0, [mine, theirs])
    assert found.p.values == pytest.approx((2 / 2**6, 1, 1)) and baseline.p.values == (1, 1, 1)


def test_tables_hold_every_row():
    refused = Measured(np.zeros(0, np.uint16), refused="layer x: no")
    wes, layerwise, baseline = Method("wes"), Method("layerwise", 4), Method(ORT_CHANNEL)
    made = Made({wes: [result([0])], layerwise: [refused], baseline: [result(log=["k"])]})
    methods = [Method("wes"), Method("layerwise", 4), Method("channelwise"), Method(ORT_CHANNEL)]
    found = rows(made, 0, methods)
    lines = table.markdown(found, 90.0).splitlines()
    assert lines[2].startswith("| float | 90.00 |") and len({line.count("|") for line in lines}) == 1
    assert lines[3].startswith("| wes W8A8 | 89.00 | 1.00 | 99.00 | 20.0 | 4.50 | 16 bits per layer | yes | 2.0 | 1.00")
    assert lines[4].startswith("| layerwise W4A8 | refused |") and len(lines) == 6
    read = list(csv.DictReader(io.StringIO(table.csv_text([("made", found)]))))
    assert [line["recipe"] for line in read] == ["wes", "layerwise", ORT_CHANNEL]
    assert float(read[0]["top1_median"]) == 89 and read[1]["refused"] == "layer x: no" and not read[1]["top1_median"]
    text = document([Section(made, 90.0, found, Duration(9, 3, 90.0), [Method("auto", 4)])], [("plot.svg", "A plot")])
    assert "`layerwise W4A8` is refused: layer x: no" in text and "2 of 3 rows have fewer than 3 draws" in text
    assert "Not measured yet: `auto W4A8`." in text
    assert "`ort-channel` ran k." in text and "All 9 results: 1.5 minutes of one processor, from 3 of them." in text
    assert "### W4A8" in text and "![A plot](plot.svg)" in text and "A note." in text


def test_layers_go_to_their_own_csv():
    row = row_of(result(layers={"a": 30.0, "b": 12.345}))
    lines = table.layer_csv_text([("made", [row])]).splitlines()
    assert lines[1:] == ["made,wes,8,8,a,30.00", "made,wes,8,8,b,12.35"] or lines[2].endswith("12.34")


def test_the_cheapest_within_the_loss_is_recommended():
    methods = {
        Method("channelwise"): [result(bytes=8.75, multiplier=MULTIPLIERS[3])],
        Method("wes"): [result([0])],
        Method("wes+bc"): [result([0])],
        Method("layerwise"): [result([0, 1], bytes=4.0)],
        Method("wes", 4): [result(range(10))],
        Method(ORT_CHANNEL): [result(bytes=0.0)],
    }
    found = rows(Made(methods), 0, list(methods))
    assert str(cheapest(found, 10).method) == "wes W4A8"
    assert cheapest(found, 2).method.recipe == "layerwise"
    assert cheapest(found, 1).method.recipe == "wes"  # cheaper to make than wes+bc
    assert cheapest(found, 0.5).method.recipe == "channelwise" == nearest(found).method.recipe
    assert cheapest([row for row in found if row.method.recipe == ORT_CHANNEL], 100) is None


def test_effort_of_recipes():
    recipes = ("wes+dfq+free", "wes", "wes+sum", "wes+sum+bc", "auto", "pow2+rapq+bc", "pow2+rapq-blocks")
    assert [effort(name) for name in recipes] == [0, 1, 1, 2, 2, 3, 4]


def test_bars_are_judged_from_the_rows():
    good, bad = result([0]), result(range(12))
    best = Method(bars.SHIFT_SCALER)

    def judged(*own):
        return bars.imagenet_bars(finder(rows(Made(dict(own)), 0, [method for method, _ in own])))

    near, against, *_ = judged((best, [good] * 3), (Method(ORT_CHANNEL), [result()] * 3))
    assert near.holds and near.figures == "1.00 pp below, agreement 99.00 %"
    assert against.holds and against.figures == "+1.00 pp behind it, p = 1.00"
    near, against, *_ = judged((best, [bad]), (Method(ORT_CHANNEL), [result()]))
    assert near.holds is False and against.holds is False and near.figures.endswith("% (1 of 3 draws)")
    assert [bar.holds for bar in judged((best, [good]))][1:] == [None] * 10
    assert "| open |" in bars.table(judged((best, [good])))


def test_half_steps_must_gain_in_each_of_three_draws():
    def judged(half, plain):
        made = {Method("wes+half+ecr+bc", 4): half, Method("wes+ecr+bc", 4): plain}
        bar, *_ = [b for b in bars.imagenet_bars(finder(rows(Made(made), 0, list(made)))) if "in each draw" in b.text]
        return bar.holds, bar.figures

    three = [result([0, 1]), result([0]), result([0, 1, 2])]
    assert judged([result([0]), result(), result()], three) == (True, "+1.00, +1.00, +3.00 pp")
    assert judged([result(), result(), result([0, 1, 2])], three) == (False, "+2.00, +1.00, +0.00 pp")
    assert judged([result()], three)[0] is None


def test_the_stress_bar_needs_layerwise_at_chance():
    def judged(layerwise):
        made = {Method("auto"): [result()], Method("wes+bc"): [result([0])], Method("layerwise"): [layerwise]}
        return [bar.holds for bar in bars.stress_bars("made", finder(rows(Made(made), 0, list(made))))]

    assert judged(result(range(80))) == [True, False] and judged(result()) == []


def test_times_that_are_not_kept_count_as_the_mean_of_the_other_draws():
    methods = [Method("wes"), Method("wes+bc"), Method("auto")]
    made = Made({})
    assert duration(made, 0, methods) is None
    made.times = {Unit(0, methods[0], 0): 10.0, Unit(0, methods[0], 2): 20.0, Unit(0, methods[1], 1): 60.0}
    assert duration(made, 0, methods) == Duration(9, 3, 3 * 15.0 + 3 * 60.0 + 3 * 30.0)


def test_the_time_of_all_networks_is_that_of_two_processors_and_open_until_each_is_known():
    hour = Duration(10, 10, 3600.0)
    assert bars.time_bar([hour, hour, Duration(1, 1, 3598.0)]).holds
    found = bars.time_bar([hour, hour, hour])
    assert found.holds is False and found.figures == "30 results, 180 minutes of one processor, 90 of 2"
    assert bars.time_bar([hour, None]).holds is None
    assert bars.time_bar([Duration(10, 4, 3600.0)]).figures.endswith("30 of 2, from 4 of them")


def test_every_row_of_the_plan_is_a_method_and_stands_once():
    for kind in plan.ROWS:
        methods = plan.methods(kind)
        assert len(set(methods)) == len(methods) > 5


def test_plots_name_every_row_and_are_the_same_twice(tmp_path):
    layers = {"a": 30.0, "b": 20.0}
    methods = {Method("wes"): [result(layers=layers)], Method("wes", 4): [result([0], layers=layers, bytes=4.0)]}
    found = rows(Made(methods), 0, list(methods))

    def draw(folder):
        plots.by_layer([("W8A8", found[:1]), ("W4A8", found[1:])], folder / "layers.svg")
        plots.by_cost([("W8A8", found[:1]), ("W4A8", found[1:])], folder / "cost.svg")
        plots.by_bits([("made", found)], ["wes", "channelwise"], folder / "bits.svg")
        plots.by_strength([(6.0, found[:1]), (12.0, found[:1])], ["wes"], folder / "stress.svg")
        return {path.name: path.read_text() for path in sorted(folder.glob("*.svg"))}

    shown = draw(tmp_path)
    assert list(shown) == ["bits.svg", "cost.svg", "layers.svg", "stress.svg"]
    assert all(">wes<" in text for text in shown.values()) and shown == draw(tmp_path)
