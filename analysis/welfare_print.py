"""How the welfare of the cells prints: treatments side by side at one point, a row per cell on a grid."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dcg_econ.analysis.points import value_text
from dcg_econ.analysis.sentences import ROUNDING
from dcg_econ.analysis.style import treatment_label
from dcg_econ.analysis.tables import MISSING, decimals, in_brackets, interval_text, number_text, small_percent
from dcg_econ.analysis.units import units_of

PP = 100.0  # shares are printed in per cent and percentage points
SIDE_BY_SIDE = 6  # treatments that fit on a page beside each other
COUNTS = "Sessions (unconverged, failed)"
SHARE_NOTE = "Share: E payoff of a role, all its players together, / E welfare, in per cent."
BITS = "Bits said in a round, all messages"
GROUPS = ("buyers", "fringe", "seller")
POSSESSIVE = {"buyers_payoff": "Buyers' payoff", "fringe_payoff": "Fringe's payoff", "seller_payoff": "Seller's payoff"}


def printed_cells(frame: pd.DataFrame, benchmark: str, swept: Sequence[str], labels: Mapping[str, str]) -> pd.DataFrame:
    """Few treatments at one point side by side; many of them, and a grid, a row each, so that no page is too narrow."""
    few = side_by_side(frame)
    return one_point_cells(frame, benchmark, labels) if few else grid_cells(frame, benchmark, swept, labels)


def side_by_side(frame: pd.DataFrame) -> bool:
    """Whether the cells are few treatments at one point."""
    return not isinstance(frame.index, pd.MultiIndex) and len(frame) <= SIDE_BY_SIDE


def one_point_cells(frame: pd.DataFrame, benchmark: str, labels: Mapping[str, str]) -> pd.DataFrame:
    """Statistics down, treatments across, standard errors below."""
    rows: list[list[str]] = []
    for name, label, largest in _means(frame, labels):
        if frame[name].notna().any():
            style = f",.{decimals(frame[f'{name}_se'], largest=largest)}f"
            rows += _pair(label, frame[name], frame[f"{name}_se"], style)
    for name, label in [*_role_shares(frame), *_shares(frame, benchmark)]:
        style = _percent_style(frame[f"{name}_se"])
        rows += _pair(label, PP * frame[name], PP * frame[f"{name}_se"], style)
        if name.endswith("difference"):
            ends = zip(PP * frame[f"{name}_low"], PP * frame[f"{name}_high"], strict=True)
            rows.append(["its 95% interval", *(interval_text(low, high, style) for low, high in ends)])
    if _talks(frame):
        rows += _pair(BITS, frame["bits"], frame["bits_se"], f",.{decimals(frame['bits_se'], largest=3)}f")
    if frame["regret_mean"].notna().any():
        for name, label in (("regret_mean", "Regret, mean (%)"), ("regret_max", "Regret, largest (%)")):
            rows.append([label, *(small_percent(value) for value in frame[name])])
    for name in ("sessions", "unconverged", "failed"):
        rows.append([name.capitalize(), *(str(count) for count in frame[name])])
    return pd.DataFrame(rows, columns=["", *(treatment_label(name) for name in frame.index)], dtype=object)


def grid_cells(frame: pd.DataFrame, benchmark: str, swept: Sequence[str], labels: Mapping[str, str]) -> pd.DataFrame:
    """One row per cell: efficiency, its gap to the benchmark and to first best, regret and counts; at one point means too."""
    columns = _cell_columns(frame, swept)
    means = [] if swept else [mean for mean in _means(frame, labels) if mean[0] != "welfare_loss"]  # the gap says it
    for name, head, largest in means:
        columns[head] = _with_errors(frame[name], frame[f"{name}_se"], largest)
    heads = {"efficiency": "Efficiency (%)", "second_best_efficiency": "Second best (%)"}
    heads |= {"difference": f"Gap to {benchmark} (pp)", "second_best_difference": "Gap to second best (pp)"}
    heads |= {} if "second_best_efficiency" in frame else {"loss": "Gap to first best (pp)"}
    for name, head in heads.items():
        if name in frame and head not in columns:
            columns[head] = _with_errors(PP * frame[name], PP * frame[f"{name}_se"])
    if frame["regret_max"].notna().any():
        columns["Largest regret (%)"] = [small_percent(value) for value in frame["regret_max"]]
    counts = frame[["sessions", "unconverged", "failed"]].itertuples(index=False, name=None)
    columns[COUNTS] = [f"{every} ({unconverged}, {failed})" for every, unconverged, failed in counts]
    return pd.DataFrame(columns, dtype=object)


def share_cells(frame: pd.DataFrame, swept: Sequence[str]) -> pd.DataFrame:
    """One row per cell: each role's share of the surplus, bits, regret and sessions."""
    columns = _cell_columns(frame, swept)
    for name, head in _role_shares(frame):
        columns[head] = _with_errors(PP * frame[name], PP * frame[f"{name}_se"])
    if _talks(frame):
        columns["Bits said"] = _with_errors(frame["bits"], frame["bits_se"])
    if frame["regret_mean"].notna().any():
        columns["Mean regret (%)"] = [small_percent(value) for value in frame["regret_mean"]]
    columns["Sessions"] = [str(count) for count in frame["sessions"] - frame["failed"]]
    return pd.DataFrame(columns, dtype=object)


def share_notes(frame: pd.DataFrame, labels: Mapping[str, str]) -> tuple[str, ...]:
    """What a share is, and how its error is made."""
    period = units_of(labels).period
    bits = f" Bits said: of all messages of a {period.split()[-1]}." if _talks(frame) else ""
    regret = (
        " Regret: largest expected gain of a player, in per cent of first best."
        if frame["regret_mean"].notna().any()
        else ""
    )
    return (f"{SHARE_NOTE}{bits}{regret} {_errors(frame, period.split()[-1])}",)


def _cell_columns(frame: pd.DataFrame, swept: Sequence[str]) -> dict[str, list[str]]:
    """The columns that say which cell a row is."""
    keys = [key if isinstance(key, tuple) else (key,) for key in frame.index]
    columns = {"Treatment": [treatment_label(key[0]) for key in keys]}
    return columns | {_head(name): [value_text(key[i + 1]) for key in keys] for i, name in enumerate(swept)}


def welfare_notes(
    frame: pd.DataFrame,
    paired: bool,
    benchmark: str,
    labels: Mapping[str, str],
    roles: Sequence[str],
    one_buyer: str,
) -> tuple[str, ...]:
    """What the numbers are, how their errors are made, and what is left out; `paired`: to a column of the same days."""
    units = units_of(labels)
    day = units.period.split()[-1]
    where = f"on the same {units.period}s with the same private values" if paired else "session by session"
    everyone = f"everyone included ({', '.join(roles)})" if roles else "everyone included"
    notes = [
        f"Efficiency is E welfare / E first best over all {units.period}s, {everyone}; the gap, in percentage points (pp), "
        f"is to {benchmark} {where}. {_errors(frame, day)}"
    ]
    if frame["regret_mean"].notna().any():
        who = "one buyer's expected gain" if units.dollars else "the largest expected gain of a player"
        notes.append(
            f"Regret is {who} from the best deviation, in per cent of first best: how far "
            f"{'the bids are' if units.dollars else 'play is'} from an equilibrium.{one_buyer}"
        )
    if not isinstance(frame.index, pd.MultiIndex) and {"buyers_payoff", "fringe_payoff", "revenue"} <= set(frame):
        notes.append("The buyers' and the fringe's payoffs and the seller's revenue add up to the surplus of everyone.")
    if _role_shares(frame) and side_by_side(frame):
        notes.append(SHARE_NOTE)
    return (*notes, *_left_out(frame, benchmark))


def _left_out(frame: pd.DataFrame, benchmark: str) -> list[str]:
    notes = []
    if frame["unconverged"].sum():
        notes.append("Unconverged sessions are included in the means.")
    if frame["failed"].sum():
        notes.append("Failed sessions have no finite welfare and enter no mean.")
    if (frame["sessions"] == 0).any():
        notes.append("Rows without sessions: the cell failed or was not run; see the table of computation.")
    if (frame["efficiency"].notna() & frame["difference"].isna()).any():
        notes.append(f"A dash in the gap: {benchmark} is not known there.")
    if (np.maximum(frame["difference"].abs(), frame["difference_se"]) < ROUNDING).any():
        notes.append("A gap of zero with a standard error of zero: the treatment is the benchmark itself.")
    return notes


def _means(frame: pd.DataFrame, labels: Mapping[str, str]) -> list[tuple[str, str, int]]:
    """Statistic, printed label and most decimals; revenue only where something is sold for money."""
    units = units_of(labels)
    flow = "$/day" if units.dollars else units.flow
    found = [("price", f"Mean price ({units.price})", 4)]
    if "revenue" in frame and frame["revenue"].abs().sum() > 0:
        found.append(("revenue", f"Seller's revenue ({flow})", 2 if units.dollars else 4))
    rest = [name for name in frame if name.endswith("_payoff") and f"{name}_se" in frame]
    for name in rest:
        label = POSSESSIVE.get(name) or f"Payoff, {plural(name.removesuffix('_payoff'))} together"
        found.append((name, f"{label} ({flow})", 2 if units.dollars else 4))
    found.append(("welfare_loss", f"Welfare loss ({flow})", 3 if units.dollars else 5))
    return [row for row in found if row[0] in frame]


def _head(parameter: str) -> str:
    """A parameter at the head of a column; a letter stays as formulas have it."""
    text = parameter.replace("_", " ")
    return text.capitalize() if len(text) > 1 else text


def _shares(frame: pd.DataFrame, benchmark: str) -> list[tuple[str, str]]:
    """Efficiencies and gaps with their labels; those of Nash and of the second best where a second best is known."""
    gap = f"Gap to {benchmark} (pp)"
    found = [("efficiency", "Efficiency (% of first best)")]
    found += [("nash_efficiency", "Nash on the same draws (%)"), ("second_best_efficiency", "Second best on them (%)")]
    found += [("difference", gap)]
    found += [("second_best_difference", "Gap to second best (pp)")] if gap != "Gap to second best (pp)" else []
    return [(name, label) for name, label in found if name in frame]


def _role_shares(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Shares of the surplus with their labels, where more than one role has one."""
    names = [name for name in frame if name.endswith("_share") and f"{name}_se" in frame]
    roles = [name.removesuffix("_share") for name in names]
    labels = [f"Share, {role if role in GROUPS else plural(role)} (%)" for role in roles]
    return list(zip(names, labels, strict=True)) if len(names) > 1 else []


def _talks(frame: pd.DataFrame) -> bool:
    """Whether something is said."""
    return "bits" in frame and bool((frame["bits"] > 0).any())


def _errors(frame: pd.DataFrame, day: str) -> str:
    sessions = (frame["sessions"] - frame["failed"]).astype(int)
    sessions = sessions[frame["sessions"] > 0]
    counts = f"{sessions.min()}" if sessions.nunique() == 1 else f"{sessions.min()} to {sessions.max()}"
    unit = "cell" if isinstance(frame.index, pd.MultiIndex) else "treatment"
    if sessions.max() > 1:
        return (
            f"Standard errors in brackets are clustered by session ({counts} sessions a {unit}, Student's t on sessions "
            f"- 1 degrees of freedom); the {day}s of a session count as one draw."
        )
    return f"One session a {unit}: no standard error; run more sessions."


def plural(role: str) -> str:
    return {"buyer": "buyers", "fringe": "fringe", "seller": "seller"}.get(role) or f"{role}s"


def _percent_style(errors: pd.Series) -> str:
    return f".{decimals(PP * errors, smallest=3, largest=4)}f"


def _with_errors(values: pd.Series, errors: pd.Series, largest: int = 3) -> list[str]:
    style = f",.{decimals(errors, smallest=2, largest=largest)}f"
    pairs = zip(values, errors, strict=True)
    texts = [(number_text(value, style), in_brackets(error, style)) for value, error in pairs]
    return [value if error == MISSING else f"{value} {error}" for value, error in texts]


def _pair(label: str, values: pd.Series, errors: pd.Series, style: str) -> list[list[str]]:
    brackets = [in_brackets(error, style) for error in errors]
    lines = [[label, *(number_text(value, style) for value in values)]]
    return lines if set(brackets) == {MISSING} else [*lines, ["", *brackets]]
