"""From the panel (one row per session, round and player) to market days (one row per cell, session and round).

A market day is a round of one session of one cell, whatever the mechanism; a cell is a treatment at a point of the grid.

Efficiency is E welfare / E first best, a ratio of expectations, everyone included (fringe and seller too).
Derived columns of a market day, where their sources are present:

    efficiency          welfare / first_best, where first best is above zero
    welfare_loss        first_best - welfare                    $ per market day
    welfare_loss_share  1 - welfare / first_best, where first best is above zero
    bits                sum over the participants, where it is asked for
    markdown            1 - price / competitive_price
    log_price           ln price, price in $/lb
    revenue             price * supply                          $ per market day
    revenue_loss        (competitive_price - price) * supply    $ per market day
    buyers_payoff, fringe_payoff, seller_payoff                 sums of `payoff` by role, $ per market day
    <role>_payoff                                               the same for any other role
    mean_payoff         mean of `payoff` over the participants

Money is in the unit of the panel's labels, dollars only at the fish market.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dcg_econ.analysis.names import require_columns
from dcg_econ.analysis.points import PARAMETERS, parameters_of, swept_parameters

KEYS = ["treatment", "session", "round"]
MARKET_COLUMNS = (
    "mechanism",
    "price",
    "welfare",
    "first_best",
    "nash_welfare",
    "second_best_welfare",
    "lindahl_welfare",
    "theory_welfare",
    "babbling_welfare",
    "theory_bits",
    "level",
    "budget_surplus",
    "competitive_price",
    "supply",
    "regret",
    "converged",
)
# Of these a mechanism may have one value a player (discriminatory prices, regret by player).
MAY_DIFFER = ("price", "competitive_price", "supply", "regret", "level", "budget_surplus")
ROLE_PAYOFFS = {"buyer": "buyers_payoff", "fringe": "fringe_payoff", "seller": "seller_payoff"}
# Values of one market day repeat on each player's row; a file format may cost them a few units of the last place.
REPEATED_TOLERANCE = 1e-9


def market_days(panel: pd.DataFrame, keep: Sequence[str] = (), parameters: Sequence[str] | None = None) -> pd.DataFrame:
    """One row per treatment x grid point x session x round with the market's columns, those in `keep`, and the derived.

    `parameters` are the swept columns; by default those of `panel.attrs["parameters"]` with more than one value, and they
    stand in the result's `attrs`. Treatments keep the panel's order. Regret that differs by player is the largest one; a
    price or supply that does is no outcome of the market and left out. Raises ValueError if a player is there twice, if
    another market column differs between the players of a day, or if cells could not be told apart.
    """
    require_columns(panel, [*KEYS, "welfare", "first_best", *keep])
    if panel.empty:
        raise ValueError("the panel has no rows: run the study first, or look for a filter that dropped everything")
    swept = swept_parameters(panel, parameters)
    keys = ["treatment", *swept, "session", "round"]
    if "participant" in panel and panel.duplicated([*keys, "participant"]).any():
        raise ValueError(
            "a participant appears twice in one treatment, session and round: the panel seems to be concatenated "
            "with itself; use panel.drop_duplicates(), or name the swept columns, parameters=(...)"
        )
    day = panel.groupby(keys, sort=False, observed=True, dropna=False).ngroup().rename("day")
    days = panel.loc[~day.duplicated(), keys].set_axis(day.unique())
    for column in dict.fromkeys([*MARKET_COLUMNS, *keep]):
        if column in panel and column not in keys:
            days = _with_column(days, panel, day, column, column in keep)
    if {"role", "payoff"} <= set(panel.columns):
        days = days.join(_payoffs_by_role(panel, day))
    if "payoff" in panel and "mean_payoff" not in days and pd.api.types.is_numeric_dtype(panel["payoff"]):
        days["mean_payoff"] = panel["payoff"].groupby(day).mean().where(~panel["payoff"].isna().groupby(day).any())
    days = _derived(days.reset_index(drop=True))
    days.attrs = {**panel.attrs, PARAMETERS: swept}
    return days


def treatments_of(days: pd.DataFrame) -> list[str]:
    """The treatments in the panel's order."""
    return list(days["treatment"].drop_duplicates())


def cell_keys(days: pd.DataFrame) -> list[str]:
    """What a cell of `market_days` is told by: the treatment and the swept parameters."""
    return ["treatment", *parameters_of(days)]


def failed_sessions(days: pd.DataFrame) -> pd.Series:
    """True for each row whose session of that cell has a day without finite welfare: such a session failed."""
    bad = ~np.isfinite(days["welfare"].astype(float)) | ~np.isfinite(days["first_best"].astype(float))
    keys = [days[key] for key in [*cell_keys(days), "session"]]
    return bad.groupby(keys, observed=True, dropna=False).transform("any")


def sound_days(days: pd.DataFrame) -> pd.DataFrame:
    """The days of the sessions that did not fail."""
    return days[~failed_sessions(days)]


def session_flags(days: pd.DataFrame) -> pd.DataFrame:
    """Per cell: `sessions`, `failed` (no finite welfare), `unconverged` (ran, but the solver or training did not
    converge on every day), and mean and largest `regret` over the sessions that did not fail (share of first best)."""
    keys = cell_keys(days)
    converged = days["converged"].eq(True) if "converged" in days else pd.Series(True, days.index)
    regret = days["regret"].astype(float) if "regret" in days else pd.Series(np.nan, days.index)
    frame = days[[*keys, "session"]].assign(failed=failed_sessions(days), converged=converged, regret=regret)
    grouped = frame.groupby([*keys, "session"], sort=False, observed=True, dropna=False)
    sessions = grouped.agg(failed=("failed", "any"), converged=("converged", "all"), regret=("regret", "max"))
    by = sessions.assign(
        unconverged=~sessions["converged"] & ~sessions["failed"],
        regret=sessions["regret"].where(~sessions["failed"]),
    ).groupby(level=keys if len(keys) > 1 else keys[0], sort=False, observed=True, dropna=False)
    return pd.DataFrame(
        {
            "sessions": by["failed"].size(),
            "failed": by["failed"].sum(),
            "unconverged": by["unconverged"].sum(),
            "regret_mean": by["regret"].mean(),
            "regret_max": by["regret"].max(),
        }
    )


def _with_column(days: pd.DataFrame, panel: pd.DataFrame, day: pd.Series, column: str, asked: bool) -> pd.DataFrame:
    grouped = panel[column].groupby(day)
    if column == "bits":
        return days.assign(bits=grouped.sum(min_count=1))  # of all messages of the round
    differs = _differs(panel[column], grouped, day)
    if not differs.any():
        return days.assign(**{column: grouped.first()})
    if column == "regret":
        return days.assign(regret=grouped.max())
    if column in MAY_DIFFER and not asked:
        return days
    where = days.loc[differs.index[differs.to_numpy().argmax()], [*KEYS]].to_dict()
    raise ValueError(
        f"`{column}` differs between the players of one market day ({where}), so it is no outcome of the market; "
        "give a column with one value per treatment, session and round (the mean payoff is mean_payoff, the payoffs by "
        f"role are {', '.join(ROLE_PAYOFFS.values())}, <role>_payoff)"
    )


def _differs(values: pd.Series, grouped, day: pd.Series) -> pd.Series:
    """Whether the values of each day differ by more than what a file format costs."""
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return grouped.nunique(dropna=False) > 1
    low, high = grouped.min(), grouped.max()
    missing = values.isna().groupby(day).mean()
    size = np.maximum(1.0, np.maximum(low.abs(), high.abs()))
    return ((high - low) > REPEATED_TOLERANCE * size) | ((missing > 0) & (missing < 1))


def _payoffs_by_role(panel: pd.DataFrame, day: pd.Series) -> pd.DataFrame:
    keys = [day, panel["role"]]
    whole = panel["payoff"].isna().groupby(keys, sort=False, observed=True).sum() == 0
    sums = panel["payoff"].groupby(keys, sort=False, observed=True).sum().where(whole).unstack("role")
    names = {role: ROLE_PAYOFFS.get(role, f"{role}_payoff") for role in sums}
    order = [*(role for role in ROLE_PAYOFFS if role in names), *(role for role in names if role not in ROLE_PAYOFFS)]
    return sums[order].rename(columns=names).rename_axis(columns=None)


def _derived(days: pd.DataFrame) -> pd.DataFrame:
    share = days["welfare"] / days["first_best"].where(days["first_best"] > 0)
    new = {
        "efficiency": share,
        "welfare_loss": days["first_best"] - days["welfare"],
        "welfare_loss_share": 1.0 - share,
    }
    if "price" in days:
        new["log_price"] = np.log(days["price"].where(days["price"] > 0))
    if {"price", "competitive_price"} <= set(days.columns):
        new["markdown"] = 1.0 - days["price"] / days["competitive_price"]
    if {"price", "supply"} <= set(days.columns):
        new["revenue"] = days["price"] * days["supply"]
    if {"price", "supply", "competitive_price"} <= set(days.columns):
        new["revenue_loss"] = (days["competitive_price"] - days["price"]) * days["supply"]
        new["competitive_revenue"] = days["competitive_price"] * days["supply"]
    return days.assign(**{name: column for name, column in new.items() if name not in days})
