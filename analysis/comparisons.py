"""Efficiency of every treatment beside all that it is to be measured by: Nash, second best, first best, discrete chat.

Each row is a treatment (on a grid, at a point) and a benchmark: the difference of E welfare / E first best, on the same
rounds for a benchmark, by session in pairs for a treatment that shares the sessions, else of independent sessions. With a
margin m the claim "equal" is tested by two one-sided t tests at 5% (TOST, Schuirmann 1987): p_equal is the larger of
their p values, and equality stands where the 90% interval lies within +-m.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dcg_econ.analysis.benchmarks import COLUMNS, is_known
from dcg_econ.analysis.effects_print import p_text
from dcg_econ.analysis.inference import UNKNOWN, Estimate, mean_difference
from dcg_econ.analysis.names import nearest
from dcg_econ.analysis.panels import market_days, sound_days
from dcg_econ.analysis.points import cells_of, in_cell, parameters_of, value_text
from dcg_econ.analysis.style import treatment_label
from dcg_econ.analysis.tables import (
    MISSING,
    STARS_LEGEND,
    Table,
    decimals,
    in_brackets,
    interval_text,
    number_text,
    stars,
)
from dcg_econ.analysis.welfare import benchmark_name, efficiency_difference

LEVEL = 0.05
PP = 100.0


def comparisons_table(
    panel: pd.DataFrame,
    against: Sequence[str] | str | None = None,
    margin: float | None = None,
    parameters: Sequence[str] | None = None,
) -> Table:
    """Differences of efficiency to each of `against`, with tests of a difference and, given `margin`, of equality.

    `against` holds "nash", "second_best", "first_best" and names of treatments (say, the discrete chat's), in the order
    wanted; by default the benchmarks that the panel knows. `margin` is a share of first best, 0.01 for one percentage
    point. `to_frame()`: one row per treatment (x point) and `against`, with difference, se, low, high (95%), df, sessions,
    paired, p, and with a margin p_equal and equal. p values are not adjusted; declare hypotheses for that, see
    `plan_table`. Raises ValueError for an unknown name or a margin that is not above 0.
    """
    days = sound_days(market_days(panel, parameters=parameters))
    if days.empty:
        raise ValueError("every session failed: the panel has no finite welfare; see the cells' errors")
    if margin is not None and not margin > 0:
        raise ValueError(f"margin={margin}: give a share of first best above 0, such as 0.01 for one percentage point")
    frame = _frame(days, _named(days, against), margin)
    printed = _cells(frame, days, margin is not None)
    return Table(frame, "Efficiency against its benchmarks", _notes(frame, margin), name="comparisons", printed=printed)


def _named(days: pd.DataFrame, against: Sequence[str] | str | None) -> list[str]:
    treatments = set(days["treatment"])
    if against is None:
        return [name for name in COLUMNS if is_known(days, name)]
    wanted = [against] if isinstance(against, str) else list(against)
    known = [*(name for name in COLUMNS if COLUMNS[name] in days), *dict.fromkeys(days["treatment"])]
    for name in wanted:
        if name not in known:
            raise ValueError(f"unknown benchmark `{name}`{nearest(name, known)}")
        if name not in treatments and not is_known(days, name):
            raise ValueError(f"`{COLUMNS[name]}` is missing on every round: solve for it first, or leave `{name}` out")
    return wanted


def _frame(days: pd.DataFrame, against: Sequence[str], margin: float | None) -> pd.DataFrame:
    swept, rows = parameters_of(days), []
    for cell in cells_of(days, swept):
        for name in against:
            if name == cell[0]:
                continue
            estimate, paired = _difference(days, swept, cell, name)
            row = dict(zip(["treatment", *swept, "against"], [*cell, name], strict=True))
            row |= {"difference": estimate.value, "se": estimate.se, "low": estimate.low, "high": estimate.high}
            row |= {"df": estimate.df, "sessions": estimate.sessions, "paired": paired}
            rows.append(row | _tests(estimate, margin))
    keys = ["treatment", *swept, "against"]
    return pd.DataFrame(rows).set_index(keys) if rows else pd.DataFrame(columns=keys).set_index(keys)


def _difference(days: pd.DataFrame, swept: Sequence[str], cell: tuple, name: str) -> tuple[Estimate, bool]:
    own, other = in_cell(days, swept, cell), in_cell(days, swept, (name, *cell[1:]))
    if name in COLUMNS and COLUMNS[name] in days:
        known = own[COLUMNS[name]].notna().all()
        return (efficiency_difference(own, cell[0], name), True) if known else (UNKNOWN, True)
    return mean_difference([(own, other)], "welfare", "first_best") if len(other) else (UNKNOWN, False)


def _tests(estimate: Estimate, margin: float | None) -> dict:
    """p of no difference, and of a difference beyond the margin."""
    if margin is None:
        return {"p": estimate.p()}
    p = estimate.p_equal(margin)
    return {"p": estimate.p(), "margin": margin, "p_equal": p, "equal": p < LEVEL}


def _cells(frame: pd.DataFrame, days: pd.DataFrame, margin: bool) -> pd.DataFrame:
    style = f",.{decimals(PP * frame['se'], smallest=2, largest=4)}f"
    rows = []
    for key, row in frame.iterrows():
        treatment, *point, name = key
        gap, error = number_text(PP * row["difference"], style), in_brackets(PP * row["se"], style)
        cells = {"Treatment": treatment_label(treatment)}
        cells |= {
            head.replace("_", " "): value_text(value) for head, value in zip(parameters_of(days), point, strict=True)
        }
        cells |= {"Against": benchmark_name(days, name), "Difference (pp)": gap + stars(row["p"])}
        cells |= {"Std. error": error, "95% interval": interval_text(PP * row["low"], PP * row["high"], style)}
        cells |= {"p": p_text(row["p"]), "Sessions": str(row["sessions"])}
        if margin:
            cells |= {"p (TOST)": p_text(row["p_equal"]), "Equal": _verdict(row)}
        rows.append(cells)
    return pd.DataFrame(rows, dtype=object)


def _verdict(row: pd.Series) -> str:
    return MISSING if np.isnan(row["p_equal"]) else "yes" if row["equal"] else "not shown"


def _notes(frame: pd.DataFrame, margin: float | None) -> tuple[str, ...]:
    counts = sorted(set(frame["sessions"])) or [0]
    sessions = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    notes = [
        "Efficiency is E welfare / E first best, everyone included; differences in percentage points (pp) of first best: to "
        "a benchmark on the same rounds, to a treatment by session in pairs where sessions are shared, else independent.",
        f"Standard errors clustered by session ({sessions} sessions); Student's t on sessions - 1 degrees of freedom, "
        f"Satterthwaite's for independent sessions; not adjusted for the number of comparisons. {STARS_LEGEND}",
    ]
    if margin is not None:
        notes.append(
            f"Equal: two one-sided t tests (TOST) at the {100 * LEVEL:g}% level that the difference is within "
            f"±{PP * margin:g} pp; where it is not shown, neither is a difference of that size."
        )
    return tuple(notes)
