"""Rows as text: a Markdown table, and CSV with every figure."""

import csv
import io
from collections.abc import Sequence

from quant.accuracy.summary import Row, Spread

COLUMNS = (
    "recipe", "top-1 %", "below float, pp", "agrees with float %", "SQNR dB", "bytes/channel", "multiplier", "engine",
    "PTQ s",
)
BASELINE = "p against ORT"
CSV_COLUMNS = (
    "network", "recipe", "weight_bits", "activation_bits", "draws", "top1_median", "top1_min", "top1_max",
    "below_float_median", "agreement_median", "agreement_min", "agreement_max", "sqnr_db_median", "bytes_per_channel",
    "multiplier", "engine", "ptq_processor_seconds", "ptq_wall_seconds", "mcnemar_p_median", "mcnemar_p_min", "refused",
)
LAYER_COLUMNS = ("network", "recipe", "weight_bits", "activation_bits", "tensor", "sqnr_db")


def markdown(rows: Sequence[Row], top1: float | None) -> str:
    """Medians over the draws with their range in brackets; top1 is that of float."""
    baseline = any(row.p is not None for row in rows)
    head = [*COLUMNS, *([BASELINE] if baseline else [])]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    if top1 is not None:
        lines.append(f"| float | {top1:.2f} |{' |' * (len(head) - 2)}")
    for row in rows:
        lines.append(f"| {' | '.join(cells(row)[: len(head)])} |")
    return "\n".join(lines)


def cells(row: Row) -> tuple[str, ...]:
    """The texts of one row: COLUMNS and BASELINE."""
    if row.refused:
        return (str(row.method), "refused", *[""] * (len(COLUMNS) - 1))
    return (
        str(row.method),
        _text(row.top1, 2),
        "" if row.loss is None else f"{row.loss.median:.2f}",
        row.agreement.text(2),
        f"{row.sqnr.median:.1f}",
        f"{row.first.bytes:.2f}",
        row.first.multiplier,
        "yes" if row.first.engine else "no",
        f"{row.seconds.median:.1f}",
        _text(row.p, 2),
    )


def _text(spread: Spread | None, digits: int) -> str:
    return "" if spread is None else spread.text(digits)


def csv_text(tables: Sequence[tuple[str, Sequence[Row]]]) -> str:
    """CSV_COLUMNS of all rows; tables: (network, rows)."""
    lines = [(network, *values(row)) for network, rows in tables for row in rows]
    return _csv(CSV_COLUMNS, lines)


def values(row: Row) -> tuple[object, ...]:
    """Numbers of one row: CSV_COLUMNS without the network; empty texts where there is none."""
    method = (row.method.recipe, row.method.weight_bits, row.method.activation_bits, row.draws)
    if row.refused:
        return (*method, *[""] * (len(CSV_COLUMNS) - 6), row.refused)
    p = ("", "") if row.p is None else (float(f"{row.p.median:.4g}"), float(f"{min(row.p.values):.4g}"))
    return (
        *method, *(("", "", "") if row.top1 is None else _three(row.top1)),
        "" if row.loss is None else round(row.loss.median, 3), *_three(row.agreement), round(row.sqnr.median, 3),
        round(row.first.bytes, 4), row.first.multiplier, row.first.engine, round(row.seconds.median, 2),
        round(row.wall.median, 2), *p, "",
    )


def _three(spread: Spread) -> tuple[float, float, float]:
    return round(spread.median, 3), round(min(spread.values), 3), round(max(spread.values), 3)


def layer_csv_text(tables: Sequence[tuple[str, Sequence[Row]]]) -> str:
    """SQNR of every layer's output in the first draw; LAYER_COLUMNS."""
    lines = [
        (network, row.method.recipe, row.method.weight_bits, row.method.activation_bits, tensor, f"{value:.2f}")
        for network, rows in tables
        for row in rows
        for tensor, value in row.first.layers.items()
    ]
    return _csv(LAYER_COLUMNS, lines)


def _csv(columns: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([columns, *lines])
    return buffer.getvalue()
