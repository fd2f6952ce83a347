"""Tables of what theory says around the estimate: its sampling error carried over, and other assumptions."""

import pandas as pd

from dcg_econ.analysis.names import require_columns
from dcg_econ.analysis.tables import Table

REPORTS = {"schedule": "Nash (schedules)", "quantity": "Nash (quantities)"}
OUTCOMES = {"markdown": "price below competitive (%)", "loss": "surplus lost (% of first best)"}


def estimation_table(estimation: pd.DataFrame) -> Table:
    """`estimation`: report, outcome, value and se (in percent): theory at the estimate, and its delta-method error.

    Where there, `low` and `high` (in percent) are the outcomes at the ends of the elasticity's 95% interval.
    """
    require_columns(estimation, ["report", "outcome", "value", "se"], "frame of estimation errors")
    rows = [
        {
            "Outcome": f"{REPORTS[row.report]}: {OUTCOMES[row.outcome]}",
            "At the estimate": f"{row.value:.3g}",
            "Standard error": f"{row.se:.2g}",
        }
        | ({"95% interval": f"[{row.low:.3g}, {row.high:.3g}]"} if {"low", "high"} <= set(estimation) else {})
        for row in estimation.itertuples()
    ]
    notes: tuple[str, ...] = (
        "Expected values at Nash, from theory. Standard errors carry that of the estimated elasticity over by the delta "
        "method; the derivative runs through the calibration and implicitly through the equilibrium. Losses rise ever "
        "faster as demand becomes less elastic, so two standard errors either side are no good interval.",
    )
    if {"low", "high"} <= set(estimation):
        notes += (
            "Intervals: the outcomes at the two ends of the elasticity's 95% interval, between which they are monotone.",
        )
    title = "What the sampling error of the demand estimate does to the answer"
    return Table(pd.DataFrame(rows).set_index("Outcome"), title, notes, name="estimation")


def robustness_table(robustness: pd.DataFrame) -> Table:
    """`robustness`: report, buyers, fringe_share, markdown and loss (both in percent), one row each."""
    require_columns(robustness, ["report", "buyers", "fringe_share", "markdown", "loss"], "frame of robustness")
    frame = robustness.assign(
        cell=[_cell(row.markdown, row.loss) for row in robustness.itertuples()],
        row=[f"{REPORTS[row.report]}, {row.buyers} buyers" for row in robustness.itertuples()],
        column=[f"fringe {100 * row.fringe_share:.0f}%" for row in robustness.itertuples()],
    )
    wide = _wide(frame, "Message and number of buyers")
    notes = (
        "Cells: mean price below competitive in percent, and in brackets the surplus lost in percent of first best, at "
        "Nash. Columns: share of the demand slope that belongs to price takers. Price < 0: linear theory has the seller "
        "pay to be rid of the catch, so it does not apply there.",
    )
    return Table(wide, "Other numbers of buyers, other shares of the fringe", notes, name="robustness")


def spread_table(spread: pd.DataFrame) -> Table:
    """`spread`: report, spread (share of the price), markdown and loss (both in percent), one row each."""
    require_columns(spread, ["report", "spread", "markdown", "loss"], "frame of spreads")
    frame = spread.assign(
        cell=[f"{row.markdown:.2f} ({row.loss:.3f})" for row in spread.itertuples()],
        row=[REPORTS[row.report] for row in spread.itertuples()],
        column=[f"values within ±{100 * row.spread:.0f}%" for row in spread.itertuples()],
    )
    wide = _wide(frame, "Message")
    notes = (
        "Cells as in the table of numbers of buyers. Columns: private values around the common value, of the price.",
    )
    return Table(wide, "Other spreads of private values", notes, name="spread")


def _cell(markdown: float, loss: float) -> str:
    return "price < 0" if markdown > 100 else f"{markdown:.1f} ({loss:.2f})"


def _wide(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Texts `cell` by `row` and `column`, in the order in which these first occur; `name` heads the rows."""
    wide = frame.pivot(index="row", columns="column", values="cell")
    wide = wide.loc[list(dict.fromkeys(frame["row"])), list(dict.fromkeys(frame["column"]))]
    wide.index.name, wide.columns.name = name, None
    return wide
