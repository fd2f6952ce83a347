"""The section on talk: what the richest and the poorest message reach in each group, the figure and the table."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dcg_econ.analysis.inference import Estimate
from dcg_econ.analysis.material import Picture
from dcg_econ.analysis.sentences import ROUNDING, absolute, sized, verb_of
from dcg_econ.analysis.style import treatment_label
from dcg_econ.analysis.tables import small_percent
from dcg_econ.analysis.talk import JOINT_PAYOFF, OWN_PAYOFF, SHAPED_PAYOFF, WHOLE, bits_text, has_talk, talk_table
from dcg_econ.analysis.talk_figure import surplus_bits_figure

CLIMBERS = {
    OWN_PAYOFF: "Players who climb their own payoff",
    JOINT_PAYOFF: "Players who climb their joint payoff",
    SHAPED_PAYOFF: "Players who climb their own payoff after the others' anticipated step",
}
CAPTION = (
    "Efficiency, E welfare / E first best (top), and regret (bottom) against the capacity of one player's messages. "
    "Horizontal lines: benchmarks on the same draws. A point whose regret is large is no equilibrium, whatever surplus it "
    "shows."
)
DODGED = " Groups are moved sideways a little so that they do not hide each other."
BROKEN = " Behind the break in the axis: a whole report, whose capacity has no bound; dotted lines lead there."
ALT = (
    "Above, efficiency in per cent against capacity in bits, a line with intervals for each group and benchmarks as "
    "horizontal lines; below, regret on a log scale at the same places."
)


def talk_blocks(panel: pd.DataFrame, swept: Sequence[str] = (), groups: Mapping | None = None) -> tuple:
    """Sentences, figure and table; nothing where the panel does not tell several capacities, or first best is no unit."""
    if not has_talk(panel):
        return ()
    try:
        table = talk_table(panel, groups, parameters=swept)
    except ValueError as error:
        return (f"Surplus is not set against bits: {error}.",)
    frame = table.to_frame()
    if frame["efficiency"].isna().all():
        return ()
    if swept:
        said = "A figure would have to average over the points of the grid, so the table alone shows every point."
        return (said, table)
    several, broken = frame["group"].nunique() > 1, np.isposinf(frame["capacity"]).any()
    caption = f"{CAPTION}{DODGED if several else ''}{BROKEN if broken else ''}"
    picture = Picture("talk", surplus_bits_figure(panel, groups), caption, ALT)
    return (*talk_sentences(frame), picture, table)


def talk_sentences(frame: pd.DataFrame) -> list[str]:
    """A paragraph per group of `talk_frame` at one point: the poorest and the richest message, what is resolved, regret."""
    return [_group(str(group), own) for group, own in frame.groupby("group", sort=False)]


def _group(group: str, own: pd.DataFrame) -> str:
    known = own[own["efficiency"].notna()]
    lead = f"{CLIMBERS.get(group, group)}: " if group else ""
    if known.empty:
        return _opened(lead, "no session finished with finite welfare.")
    poorest, richest = known.iloc[0], known.iloc[-1]
    if known["capacity"].nunique() < 2:
        said = f"one capacity alone has results, {_amount(poorest)}, so nothing says what a richer message buys."
        return " ".join([_opened(lead, said), *_regret(own)])
    first = (
        f"with the poorest message ({_called(poorest)}) efficiency is {_level(poorest)}, with the richest "
        f"({_called(richest)}) {_level(richest)}; {_difference(richest)}."
    )
    return " ".join([_opened(lead, first), *_between(known), *_regret(own)])


def _opened(lead: str, text: str) -> str:
    """A sentence after its lead, or with a capital letter where it has none."""
    return f"{lead}{text}" if lead else f"{text[:1].upper()}{text[1:]}"


def _called(row: pd.Series) -> str:
    return f"{treatment_label(row.name)}, {_amount(row)}"


def _amount(row: pd.Series) -> str:
    return f"a {WHOLE}" if np.isposinf(row["capacity"]) else f"{bits_text(row['capacity'])} bits"


def _estimate(row: pd.Series, name: str) -> Estimate:
    value, se, low, high, df = (float(row[name + end]) for end in ("", "_se", "_low", "_high", "_df"))
    return Estimate(value, se, low, high, df, int(row["sessions"] - row["failed"])).scaled(100.0)


def _level(row: pd.Series) -> str:
    return sized(_estimate(row, "efficiency"), "% of first best")


def _difference(row: pd.Series) -> str:
    gap = _estimate(row, "difference")
    if abs(gap.value) <= 100 * ROUNDING and not gap.se > 100 * ROUNDING:
        return "the two are the same"
    verb = verb_of(gap, "more", "less")
    if verb:
        return f"that is {verb} by {sized(absolute(gap), ' percentage points', interval=True)}"
    claim = "is not resolved by a 95% interval" if np.isfinite(gap.se) else "has no interval"
    return f"the difference, {sized(gap, ' percentage points', interval=True)}, {claim}"


def _between(known: pd.DataFrame) -> list[str]:
    """Which of the others differ from the poorest message, each by an interval of its own."""
    rows = known.iloc[1:]
    gaps = {treatment_label(name): _estimate(row, "difference") for name, row in rows.iterrows()}
    if len(gaps) < 2 or not any(np.isfinite(gap.se) for gap in gaps.values()):
        return []
    verbs = {label: verb_of(gap, "above", "below") for label, gap in gaps.items()}
    base = treatment_label(known["against"].iloc[0])
    if len(set(verbs.values())) == 1:
        verb = next(iter(verbs.values()))
        said = (
            f"all {len(gaps)} others are {verb} it" if verb else f"none of the {len(gaps)} others is told apart from it"
        )
        return [f"Against {base}, each by an interval of its own, {said}."]
    parts = [
        f"{word} it: {', '.join(names)}"
        for word in ("above", "below")
        if (names := [label for label, verb in verbs.items() if verb == word])
    ]
    lost = [label for label, verb in verbs.items() if verb is None]
    parts += [f"not told apart from it: {', '.join(lost)}"] if lost else []
    return [f"Against {base}, each by an interval of its own: {'; '.join(parts)}."]


def _regret(own: pd.DataFrame) -> list[str]:
    largest = own["regret_max"].max()
    if not np.isfinite(largest):
        return ["Regret is not known, so nothing says how near an equilibrium these are."]
    sessions = int(own["sessions"].sum() - own["failed"].sum())
    done = int(own["converged"].sum())
    where = treatment_label(own["regret_max"].idxmax())
    return [
        f"The largest regret found in a session is {small_percent(largest)}% of first best ({where}); {done} of {sessions} "
        "sessions converged."
    ]
