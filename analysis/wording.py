"""The answer in sentences: numbers computed from the panel, verbs that follow from the sign and the interval."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from dcg_econ.analysis.benchmarks import NASH
from dcg_econ.analysis.inference import Estimate, mean_per_day, ratio, ratio_difference
from dcg_econ.analysis.panels import failed_sessions, market_days, session_flags, treatments_of
from dcg_econ.analysis.sentences import ROUNDING, absolute, sized, verb_of
from dcg_econ.analysis.style import study_order, treatment_label
from dcg_econ.analysis.tables import small_percent
from dcg_econ.analysis.welfare import efficiency_difference

SUCCESS, MISSING = "ok", "missing"
LEARNED = "learned"
TERMS = {
    "competitive": "every buyer takes the price as given and asks for its true demand. This is the first best: each pound "
    "goes to who values it most.",
    "nash_schedules": "each large buyer hands in a whole demand schedule, pounds at every price, and understates it because "
    "buying more raises the price for all its pounds; no buyer gains by bidding otherwise.",
    "nash_quantities": "the same with one number, the pounds wanted (Cournot); the demand of the fringe sets the price.",
}
TRAINED = "Learned: neural networks that were trained on simulated market days bid in place of the Nash equilibrium."
SURPLUS = (
    "Fringe: the small buyers, who take the price as given throughout. Surplus of everyone: what the catch is worth to large "
    "buyers and fringe together; what they pay the seller moves surplus and does not change it."
)
DRAWS = (
    "Session: all market days once, with fresh private values and, where buyers learn, fresh training; s.e.: standard error, "
    "clustered by session."
)


def answer(
    panel: pd.DataFrame,
    cells: pd.DataFrame | None = None,
    estimation: pd.DataFrame | None = None,
    opening: Sequence[str] = (),
    costs_of: Collection[str] | None = None,
) -> list[str]:
    """The paragraphs that answer the question: `opening`, then cost to the seller, loss of surplus, learned against Nash,
    failures. `costs_of`: the treatments whose costs are told, by default all."""
    every = market_days(panel)
    days = every[~failed_sessions(every)]
    if days.empty:
        return ["Every session failed: there is no answer yet.", reliability(every, cells)]
    names = study_order(treatments_of(days))
    priced = {"revenue_loss", "competitive_revenue"} <= set(days.columns)
    theory = [name for name in names if name != "competitive" and not name.startswith(LEARNED)]
    told = [name for name in theory if costs_of is None or name in costs_of]
    paragraphs = [*opening, *(cost_sentence(days, name) if priced else loss_sentence(days, name) for name in told)]
    if {"nash_schedules", "nash_quantities"} <= set(names):
        paragraphs.append(schedules_or_quantities(days))
    if estimation is not None and len(estimation):
        paragraphs.append(estimation_sentence(estimation))
    flags = session_flags(every)
    paragraphs += [learned_sentence(days, name, flags) for name in names if name.startswith(LEARNED)]
    return [*paragraphs, reliability(every, cells)]


def terms(panel: pd.DataFrame) -> list[str]:
    """What the words of the report mean, for the treatments that the panel has."""
    has = set(panel["treatment"])
    known = [f"{treatment_label(name)}: {text}" for name, text in TERMS.items() if name in has]
    learned = any(str(name).startswith(LEARNED) for name in has)
    return [*known, *([TRAINED] if learned else []), SURPLUS, DRAWS] if known else []


def cost_sentence(days: pd.DataFrame, treatment: str) -> str:
    """What a treatment costs the seller against competition, and everyone against first best."""
    own = days[days["treatment"] == treatment]
    share = ratio(own, "revenue_loss", "competitive_revenue").scaled(100.0)
    dollars = mean_per_day(own, "revenue_loss")
    name = treatment_label(treatment)
    verb = verb_of(share, "costs the seller", "brings the seller a gain of")
    if verb is None:
        first = (
            f"{name}: no effect on the seller's revenue is established; the loss is "
            f"{sized(share, '% of competitive revenue', interval=True)}."
        )
    else:
        bidding = "strategic bidding" if treatment.startswith("nash") else "bidding this way"
        first = (
            f"{name}: {bidding} {verb} {sized(absolute(share), '% of competitive revenue', interval=True)}, or "
            f"{_money(absolute(dollars))}."
        )
    return f"{first} {_surplus(own)}{_transfer(own, dollars)}"


def loss_sentence(days: pd.DataFrame, treatment: str) -> str:
    """The loss of surplus of a treatment whose panel has no prices."""
    return f"{treatment_label(treatment)}: {_surplus(days[days['treatment'] == treatment])}"


def schedules_or_quantities(days: pd.DataFrame) -> str:
    """Whether bids of whole schedules leave more surplus than bids of quantities, both at Nash."""
    gap = efficiency_difference(days, "nash_schedules", "nash_quantities").scaled(100.0)
    verb = verb_of(gap, "leave more surplus than", "leave less surplus than")
    if verb is None:
        return (
            "At Nash, bids of schedules and bids of quantities cannot be told apart in surplus: the difference is "
            f"{sized(gap, ' percentage points of first best', interval=True)}."
        )
    size = sized(absolute(gap), " percentage points of first best", interval=True)
    return f"At Nash, bids of schedules {verb} bids of quantities, by {size}.{_revenue_gap(days)}"


def estimation_sentence(estimation: pd.DataFrame) -> str:
    """That the demand estimate, not the simulation, is what makes the answer uncertain, with sizes."""
    parts = [
        f"{row.se:.2g} percentage points on the {row.value:.3g}% by which prices fall short "
        f"({'schedules' if row.report == 'schedule' else 'quantities'}"
        + (
            f"; from {row.low:.3g}% to {row.high:.3g}% over the elasticity's 95% interval)"
            if hasattr(row, "low")
            else ")"
        )
        for row in estimation[estimation["outcome"] == "markdown"].itertuples()
    ]
    return (
        "These standard errors are over simulated private values only. Demand itself is known much less well: the standard "
        f"error of the estimated elasticity carries over to {' and '.join(parts)}."
    )


def learned_sentence(days: pd.DataFrame, treatment: str, flags: pd.DataFrame) -> str:
    """Efficiency, price and regret of a learned treatment against its Nash benchmark."""
    twin = treatment.replace(LEARNED, "nash", 1)
    own, base = (set(days.loc[days["treatment"] == item, "session"]) for item in (treatment, twin))
    against = twin if own <= base else NASH  # the twin of the same sessions is the plainer comparison
    if against == NASH and "nash_welfare" not in days:
        return f"{loss_sentence(days, treatment)} {regret_sentence(flags, treatment)}".rstrip()
    gap = efficiency_difference(days, treatment, against).scaled(100.0)
    name, benchmark = treatment_label(treatment), treatment_label(twin) if against == twin else "Nash"
    verb = verb_of(gap, "above", "below")
    if verb is None:
        claim = "is not distinguishable from" if np.isfinite(gap.se) else "has an unknown distance to"
        size = sized(gap, " percentage points", interval=True)
        first = f"{name}: efficiency {claim} {benchmark} at the 5% level; the difference is {size}."
    else:
        size = sized(absolute(gap), " percentage points", interval=True)
        first = f"{name}: efficiency is {verb} {benchmark} by {size}."
    price = _price_gap(days, treatment, twin) if against == twin and "price" in days else ""
    return " ".join(part for part in (first, price, regret_sentence(flags, treatment)) if part)


def reliability(days: pd.DataFrame, cells: pd.DataFrame | None) -> str:
    """How many sessions failed or did not converge, and how many cells failed."""
    flags = session_flags(days)
    total, failed, unconverged = (int(flags[column].sum()) for column in ("sessions", "failed", "unconverged"))
    each = int(flags["sessions"].iloc[0])
    held = (
        f"Each of the {len(flags)} treatments has {each:,d} sessions"
        if total == each * len(flags)
        else f"The {len(flags)} treatments have {total:,d} sessions together"
    )
    text = f"{held}: {failed:,d} failed and {unconverged:,d} did not converge."
    if unconverged:
        text += f" Unconverged sessions are included in every mean: {_where(flags['unconverged'])}."
    if failed:
        text += f" Failed sessions enter no mean: {_where(flags['failed'])}."
    if cells is not None and len(cells):
        status = cells["status"].astype(str)
        missing = int((status == MISSING).sum())
        bad = int((status != SUCCESS).sum()) - missing
        text += f" Of {len(cells):,d} computed cells {bad:,d} failed." if bad else ""
        text += f" Of {len(cells):,d} planned cells {missing:,d} are missing." if missing else ""
    return text


def _revenue_gap(days: pd.DataFrame) -> str:
    """What the poorer message costs the seller on top, in a sentence; nothing where prices are not known."""
    if "revenue" not in days:
        return ""
    days = days.assign(_one=1.0)
    whole, poor = (days[days["treatment"] == f"nash_{name}"] for name in ("schedules", "quantities"))
    dollars = ratio_difference(whole, poor, "revenue", "_one")
    verb = verb_of(dollars, "more", "less")
    return f" Schedules bring the seller {_money(absolute(dollars))} {verb}." if verb else ""


def _surplus(own: pd.DataFrame) -> str:
    share = ratio(own, "welfare_loss", "first_best").scaled(100.0)
    if abs(share.value) <= 100 * ROUNDING:
        return "No surplus is lost against first best"
    size = sized(share, "% of first best", interval=True)
    return f"The surplus lost to everyone is {size}, or {_money(mean_per_day(own, 'welfare_loss'))}"


def _transfer(own: pd.DataFrame, dollars: Estimate) -> str:
    lost = mean_per_day(own, "welfare_loss").value
    if dollars.low > 0 and dollars.value > lost > ROUNDING:
        return "; the rest of the seller's loss is a transfer to the buyers, fringe included."
    return "."


def _price_gap(days: pd.DataFrame, treatment: str, twin: str) -> str:
    own, base = (days[days["treatment"] == item].assign(_one=1.0) for item in (treatment, twin))
    cents = ratio_difference(own, base, "price", "_one").scaled(100.0)
    where = verb_of(cents, "higher", "lower")
    if where:
        fall = 100 * (base["competitive_price"] - base["price"]).mean() if "competitive_price" in base else np.nan
        part = f": {100 * abs(cents.value) / fall:.2g}% of the fall below competitive at Nash" if fall > 0 else ""
        return f"Its mean price is {where}, by {sized(absolute(cents), ' cents/lb', interval=True)}{part}."
    return f"Its mean price differs by {sized(cents, ' cents/lb', interval=True)}."


def regret_sentence(flags: pd.DataFrame, treatment: str) -> str:
    mean, largest = flags.loc[treatment, "regret_mean"], flags.loc[treatment, "regret_max"]
    if not np.isfinite(mean):
        return ""
    return (
        f"Regret, the gain from the best deviation, is {small_percent(mean)}% of first best on average and "
        f"{small_percent(largest)}% at most."
    )


def _where(counts: pd.Series) -> str:
    return ", ".join(f"{treatment_label(name)} ({int(count)})" for name, count in counts.items() if count)


def _money(estimate: Estimate) -> str:
    """Dollars per market day with the standard error."""
    sign = "-" if estimate.value < 0 else ""
    error = ""
    if np.isfinite(estimate.se):
        error = f" (s.e. ${estimate.se:,.2f})" if estimate.se >= 0.005 else " (s.e. below 1 cent)"
    return f"{sign}${abs(estimate.value):,.2f} per market day{error}"
