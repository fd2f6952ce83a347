"""From the panel (one row per session, round and player) to market days (one row per treatment, session and round).

Efficiency is E welfare / E first best, a ratio of expectations, everyone included (fringe and seller too).
Derived columns of a market day, where their sources are present:

    efficiency          welfare / first_best
    welfare_loss        first_best - welfare                    $ per market day
    welfare_loss_share  1 - welfare / first_best
    markdown            1 - price / competitive_price
    log_price           ln price, price in $/lb
    revenue             price * supply                          $ per market day
    revenue_loss        (competitive_price - price) * supply    $ per market day
    buyers_payoff, fringe_payoff, seller_payoff                 sums of `payoff` by role, $ per market day
"""

import difflib
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

KEYS = ["treatment", "session", "round"]
MARKET_COLUMNS = (
    "mechanism",
    "price",
    "welfare",
    "first_best",
    "nash_welfare",
    "competitive_price",
    "supply",
    "regret",
    "converged",
)
ROLE_PAYOFFS = {"buyer": "buyers_payoff", "fringe": "fringe_payoff", "seller": "seller_payoff"}
# Values of one market day repeat on each player's row; a file format may cost them a few units of the last place.
REPEATED_TOLERANCE = 1e-9


def require_columns(frame: pd.DataFrame, columns: Iterable[str], what: str = "panel") -> None:
    """Raises ValueError that names the missing columns of `frame` and the nearest present ones."""
    for column in columns:
        if column not in frame:
            raise ValueError(f"the {what} has no column `{column}`{nearest(column, frame.columns)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint such as "; did you mean `price`?", or the list of what is known."""
    known = [str(item) for item in known]
    close = difflib.get_close_matches(str(name), known, n=1) or [item for item in known if str(name) in item]
    return f"; did you mean `{close[0]}`?" if close else f"; known are: {', '.join(known)}"


def market_days(panel: pd.DataFrame, keep: Sequence[str] = ()) -> pd.DataFrame:
    """One row per treatment x session x round with the market's columns, those in `keep`, and the derived ones.

    Treatments keep the panel's order. Raises ValueError if a player is there twice, or if a market's column differs
    between the players of one market day.
    """
    require_columns(panel, [*KEYS, "welfare", "first_best", *keep])
    if panel.empty:
        raise ValueError("the panel has no rows: run the study first, or look for a filter that dropped everything")
    if "participant" in panel and panel.duplicated([*KEYS, "participant"]).any():
        raise ValueError(
            "a participant appears twice in one treatment, session and round: the panel seems to be concatenated "
            "with itself; use panel.drop_duplicates()"
        )
    columns = [c for c in dict.fromkeys([*MARKET_COLUMNS, *keep]) if c in panel and c not in KEYS]
    grouped = panel.groupby(KEYS, sort=False, observed=True)
    for column in columns:
        _check_repeated(panel, grouped, column)
    days = grouped[columns].first()
    if {"role", "payoff"} <= set(panel.columns):
        days = days.join(_payoffs_by_role(panel))
    return _derived(days.reset_index())


def treatments_of(days: pd.DataFrame) -> list[str]:
    """The treatments in the panel's order."""
    return list(days["treatment"].drop_duplicates())


def failed_sessions(days: pd.DataFrame) -> pd.Series:
    """True for each row whose session of that treatment has a day without finite welfare: such a session failed."""
    bad = ~np.isfinite(days["welfare"].astype(float)) | ~np.isfinite(days["first_best"].astype(float))
    return bad.groupby([days["treatment"], days["session"]], observed=True).transform("any")


def session_flags(days: pd.DataFrame) -> pd.DataFrame:
    """Per treatment: `sessions`, `failed` (no finite welfare), `unconverged` (ran, but the solver or training did not
    converge), and mean and largest `regret` over the sessions that did not fail (share of first best)."""
    frame = days.assign(failed=failed_sessions(days))
    columns = [c for c in ("regret", "converged") if c in frame]
    sessions = frame.groupby(["treatment", "session"], sort=False, observed=True)[["failed", *columns]].first()
    converged = sessions["converged"].astype(bool) if "converged" in sessions else pd.Series(True, sessions.index)
    regret = sessions["regret"].astype(float) if "regret" in sessions else pd.Series(np.nan, sessions.index)
    by = sessions.assign(
        unconverged=~converged & ~sessions["failed"], regret=regret.where(~sessions["failed"])
    ).groupby(level="treatment", sort=False, observed=True)
    return pd.DataFrame(
        {
            "sessions": by["failed"].size(),
            "failed": by["failed"].sum(),
            "unconverged": by["unconverged"].sum(),
            "regret_mean": by["regret"].mean(),
            "regret_max": by["regret"].max(),
        }
    )


def _check_repeated(panel, grouped, column: str) -> None:
    if pd.api.types.is_numeric_dtype(panel[column]) and not pd.api.types.is_bool_dtype(panel[column]):
        low, high = grouped[column].min(), grouped[column].max()
        missing = panel[column].isna().groupby([panel[key] for key in KEYS], sort=False, observed=True).mean()
        size = np.maximum(1.0, np.maximum(low.abs(), high.abs()))
        differs = ((high - low) > REPEATED_TOLERANCE * size) | ((missing > 0) & (missing < 1))
    else:
        differs = grouped[column].nunique(dropna=False) > 1
    if differs.any():
        day = dict(zip(KEYS, differs.index[differs.to_numpy().argmax()], strict=True))
        raise ValueError(
            f"`{column}` differs between the players of one market day ({day}), so it is no outcome of the market; "
            "give a column with one value per treatment, session and round (the payoffs by role are "
            f"{', '.join(ROLE_PAYOFFS.values())})"
        )


def _payoffs_by_role(panel: pd.DataFrame) -> pd.DataFrame:
    by = panel.groupby([*KEYS, "role"], sort=False, observed=True)["payoff"]
    whole = (
        panel["payoff"].isna().groupby([panel[key] for key in [*KEYS, "role"]], sort=False, observed=True).sum() == 0
    )
    sums = by.sum().where(whole).unstack("role")
    return sums.rename(columns=ROLE_PAYOFFS)[[ROLE_PAYOFFS[role] for role in ROLE_PAYOFFS if role in sums]]


def _derived(days: pd.DataFrame) -> pd.DataFrame:
    new = {
        "efficiency": days["welfare"] / days["first_best"],
        "welfare_loss": days["first_best"] - days["welfare"],
        "welfare_loss_share": 1.0 - days["welfare"] / days["first_best"],
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
