"""What a richer message buys: surplus against the bits that a treatment's messages can hold, and the table of it.

The capacity is the most bits that one player may say in a round: 0 in silence, infinite where a whole report is handed
in. Efficiency is `welfare`'s, E welfare / E first best; a difference is to the treatment with the least capacity of the
same group at the same grid point, paired by session where sessions are shared, else of independent sides.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dcg_econ.analysis.inference import UNKNOWN, Estimate, mean_difference, mean_per_day
from dcg_econ.analysis.names import nearest, require_columns
from dcg_econ.analysis.panels import market_days, session_flags, sound_days
from dcg_econ.analysis.points import at_point, cell_index, cells_of, in_cell, parameters_of, points_of, value_text
from dcg_econ.analysis.style import treatment_label
from dcg_econ.analysis.tables import MISSING, Table, decimals, in_brackets, interval_text, number_text, small_percent
from dcg_econ.analysis.welfare import efficiency

JOINT = "_joint"  # ends the name of a treatment whose players climb their joint payoff
SHAPED = "_shaped"  # and of one whose players climb their own after the others' anticipated step
OWN_PAYOFF, JOINT_PAYOFF, SHAPED_PAYOFF = "Own payoff", "Joint payoff", "Own, looking ahead"
WHOLE = "whole report"  # in place of an infinite capacity
PP = 100.0
NOTES = (
    "Capacity: the most bits that one player's messages may hold in a round; a whole report has no bound. Bits said: their "
    "information cost, the divergence of what is sent from a law that knows no type, mean over the messages of one giver in "
    "one round; a word said whatever the type costs as much as one that tells it. A dash: nothing "
    "is said before the report, or its cost is not measured.",
    "Treatments differ in their language, and in how near training comes to an equilibrium, not in capacity alone: a "
    "difference no larger than the regrets of its two sides may be training's.",
)

NAMED = (
    "Group: whether each player climbs its own payoff, all climb their joint one, or each its own after the others' "
    f"anticipated step, as the endings {JOINT} and {SHAPED} of names say."
)


def talk_table(
    panel: pd.DataFrame,
    groups: Mapping[str, Sequence[str]] | None = None,
    parameters: Sequence[str] | None = None,
) -> Table:
    """Capacity, bits said, efficiency, its difference to the least capacity, regret and convergence by treatment.

    `groups` maps a printed name to the treatments that are compared with each other, such as those of one objective;
    by default the names that end in `_joint` and in `_shaped` are a group each, and the rest another. `parameters` are the
    swept columns (default: the panel's). `to_frame()`: one row per treatment (and grid point) in shares of first best, each
    estimate with `_se`, `_low` and `_high`; `against` is the treatment of least capacity. Raises ValueError where the panel has
    no `capacity` or `bits`, or `groups` names an unknown treatment.
    """
    frame = talk_frame(panel, groups, parameters)
    told = (NAMED,) if groups is None and frame["group"].nunique() > 1 else ()
    notes = (_basis(frame), *NOTES, *told, *_left_out(panel, frame))
    title = f"Surplus and bits by treatment{' and grid point' if frame.index.nlevels > 1 else ''}"
    return Table(frame, title, notes, name="talk", printed=_printed(frame))


def talk_frame(
    panel: pd.DataFrame,
    groups: Mapping[str, Sequence[str]] | None = None,
    parameters: Sequence[str] | None = None,
) -> pd.DataFrame:
    """The numbers of `talk_table`: groups in their order, in each the points ascending and capacity rising."""
    every = _talk_days(panel, parameters)
    days, flags, swept = sound_days(every), session_flags(every), parameters_of(every)
    if days.empty:
        raise ValueError("every session failed: the panel has no finite welfare; see the cells' errors")
    held = {cell: _capacity(every, swept, cell) for cell in cells_of(every, swept)}
    held = {cell: capacity for cell, capacity in held.items() if not np.isnan(capacity)}
    points = points_of(every, swept)
    rows: dict[tuple, dict] = {}
    for group, names in talk_groups(dict.fromkeys(cell[0] for cell in held), groups).items():
        own = [cell for cell in held if cell[0] in names]
        for cell in sorted(own, key=lambda cell: (points.index(cell[1:]), held[cell])):
            sound = [mate for mate in own if mate[1:] == cell[1:] and len(in_cell(days, swept, mate))]
            base = min(sound, key=lambda mate: held[mate], default=cell)
            found = _statistics(panel, days, swept, cell, base)
            rows[cell] = {"group": group, "capacity": held[cell], "against": base[0], **found}
    frame = pd.DataFrame(list(rows.values()), index=cell_index(list(rows), swept)).join(flags)
    return frame.assign(converged=frame["sessions"] - frame["failed"] - frame["unconverged"])


def has_talk(panel: pd.DataFrame) -> bool:
    """Whether the panel tells capacities, and more than one."""
    return {"capacity", "bits"} <= set(panel.columns) and panel["capacity"].nunique() > 1


def talk_groups(
    treatments: Sequence[str] | Mapping[str, object], groups: Mapping[str, Sequence[str]] | None = None
) -> dict[str, list[str]]:
    """The treatments that are compared with each other, by the printed name of their group; one group is called ""."""
    names = list(treatments)
    if groups is None:
        joint = [name for name in names if str(name).endswith(JOINT)]
        shaped = [name for name in names if str(name).endswith(SHAPED)]
        own = [name for name in names if name not in (*joint, *shaped)]
        found = {OWN_PAYOFF: own, JOINT_PAYOFF: joint, SHAPED_PAYOFF: shaped}
        return {group: members for group, members in found.items() if members} if joint and own else {"": names}
    seen: set[str] = set()
    for group, members in groups.items():
        for name in members:
            if name not in names:
                raise ValueError(f"`groups`: {group} names the unknown treatment `{name}`{nearest(name, names)}")
            if name in seen:
                raise ValueError(f"`groups`: `{name}` is named twice; a treatment belongs to one group")
            seen.add(name)
    if not seen:
        raise ValueError("`groups` names no treatment; give {name: [treatment, ...]}, or leave it out")
    return {group: list(members) for group, members in groups.items() if len(members)}


def _talk_days(panel: pd.DataFrame, parameters: Sequence[str] | None) -> pd.DataFrame:
    require_columns(panel, ["capacity", "bits"], "panel")
    if panel["capacity"].notna().sum() == 0:
        raise ValueError("`capacity` is missing on every row: nobody may talk in this study; see welfare_table")
    return market_days(panel, keep=["capacity"], parameters=parameters)


def _capacity(days: pd.DataFrame, swept: Sequence[str], cell: tuple) -> float:
    """Of one player's messages, bits; NaN where it is not known."""
    return float(in_cell(days, swept, cell)["capacity"].max())


def _statistics(panel: pd.DataFrame, days: pd.DataFrame, swept: Sequence[str], cell: tuple, base: tuple) -> dict:
    own = in_cell(days, swept, cell)
    if own.empty:
        return _flat(bits=UNKNOWN, efficiency=UNKNOWN, difference=UNKNOWN) | {"paired": False}
    said = in_cell(panel, swept, cell)
    said = said[said["session"].isin(own["session"]) & said["bits"].notna()]
    bits = UNKNOWN if said.empty else mean_per_day(said, "bits") if np.isfinite(said["bits"]).all() else _infinite()
    here = at_point(days, swept, cell[1:])
    gap, paired = UNKNOWN, False
    if cell != base:
        sides = own, here[here["treatment"] == base[0]]
        gap, paired = mean_difference([sides], "welfare", "first_best")
    return _flat(bits=bits, efficiency=efficiency(here, cell[0]), difference=gap) | {"paired": paired}


def _infinite() -> Estimate:
    return Estimate(np.inf, np.nan, np.nan, np.nan, 0, 0)


def _flat(**found: Estimate) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, estimate in found.items():
        flat |= {name: estimate.value, f"{name}_se": estimate.se}
        flat |= {f"{name}_low": estimate.low, f"{name}_high": estimate.high, f"{name}_df": estimate.df}
    return flat


def _printed(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per cell, below the name of its group where there are several, so that no page is too narrow."""
    keys = [key if isinstance(key, tuple) else (key,) for key in frame.index]
    columns: dict[str, list[str]] = {"Treatment": [treatment_label(key[0]) for key in keys]}
    for i, name in enumerate(frame.index.names[1:]):
        columns[str(name).replace("_", " ").capitalize()] = [value_text(key[i + 1]) for key in keys]
    columns["Capacity (bits)"] = [bits_text(value) for value in frame["capacity"]]
    columns["Bits said"] = _with_errors(frame["bits"], frame["bits_se"], 2)
    style = _style(PP * frame["efficiency_se"], 3)
    columns["Efficiency (%)"] = _with_errors(PP * frame["efficiency"], PP * frame["efficiency_se"], 3)
    ends = zip(PP * frame["efficiency_low"], PP * frame["efficiency_high"], strict=True)
    columns["its 95% interval"] = [interval_text(low, high, style) for low, high in ends]
    gaps = _with_errors(PP * frame["difference"], PP * frame["difference_se"], 3)
    least = [key[0] == against for key, against in zip(keys, frame["against"], strict=True)]
    columns["Above the least (pp)"] = ["least" if is_it else gap for gap, is_it in zip(gaps, least, strict=True)]
    columns["Mean regret (%)"] = [small_percent(value) for value in frame["regret_mean"]]
    columns["Largest regret (%)"] = [small_percent(value) for value in frame["regret_max"]]
    counts = frame[["converged", "sessions", "failed"]].itertuples(index=False, name=None)
    lost = bool(frame["failed"].sum())
    columns[f"Converged{' (failed)' if lost else ''}"] = [
        f"{done} of {every}{f' ({failed})' if lost else ''}" for done, every, failed in counts
    ]
    return _under_groups(pd.DataFrame(columns, dtype=object), list(frame["group"]))


def _under_groups(cells: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    """The rows with a row of its own for the name of each group before its first."""
    if len(set(groups)) < 2:
        return cells
    rows: list[list[str]] = []
    for i, row in enumerate(cells.to_numpy().tolist()):
        if groups[i] not in groups[:i]:
            rows.append([f"{groups[i]}:", *[""] * (cells.shape[1] - 1)])
        rows.append(row)
    return pd.DataFrame(rows, columns=cells.columns, dtype=object)


def bits_text(capacity: float) -> str:
    """A capacity as printed: a number of bits, or that there is no bound."""
    return WHOLE if np.isposinf(capacity) else MISSING if np.isnan(capacity) else f"{capacity:.3g}"


def _style(errors: pd.Series, largest: int) -> str:
    """Decimals that show the largest error of a column: the others stand below it."""
    return f",.{decimals([errors.max()], smallest=2, largest=largest)}f"


def _with_errors(values: pd.Series, errors: pd.Series, largest: int) -> list[str]:
    style = _style(errors, largest)
    pairs = zip(values, errors, strict=True)
    texts = [("∞" if np.isposinf(v) else number_text(v, style), in_brackets(error, style)) for v, error in pairs]
    return [value if error == MISSING else f"{value} {error}" for value, error in texts]


def _basis(frame: pd.DataFrame) -> str:
    """What the numbers are, and how their errors are made."""
    sessions = (frame["sessions"] - frame["failed"]).astype(int)
    sessions = sessions[sessions > 0]
    counts = f"{sessions.min()}" if sessions.nunique() == 1 else f"{sessions.min()} to {sessions.max()}"
    group = " of its group" if frame["group"].nunique() > 1 else ""
    said = (
        f"Efficiency: E welfare / E first best, in per cent of first best. Above the least: efficiency less that of the "
        f"treatment with the least capacity{group}, in percentage points (pp){_pairing(frame)}. Regret: in per cent of first "
        "best, mean and largest over sessions."
    )
    if sessions.max() < 2:
        return f"{said} One session a treatment: no standard error; run more sessions."
    return (
        f"{said} Standard errors in brackets are clustered by session ({counts} sessions a treatment); intervals: "
        "Student's t on sessions - 1 degrees of freedom, each for itself, with no correction for their number."
    )


def _pairing(frame: pd.DataFrame) -> str:
    paired = frame.loc[frame["difference"].notna(), "paired"]
    if paired.empty:
        return ""
    if paired.all():
        return ", session by session over the sessions that both have"
    return ", of independent sessions" + (", paired where sessions are shared" if paired.any() else "")


def _left_out(panel: pd.DataFrame, frame: pd.DataFrame) -> list[str]:
    notes = []
    shown = set(frame.index.get_level_values(0))
    lost = [name for name in dict.fromkeys(panel["treatment"]) if name not in shown]
    if lost:
        names = ", ".join(map(treatment_label, lost))
        notes.append(f"Not in the table, having no known capacity or no group: {names}.")
    if frame["unconverged"].sum():
        notes.append("Unconverged sessions are included in the means.")
    if frame["failed"].sum():
        notes.append("Failed sessions have no finite welfare and enter no mean.")
    return notes
