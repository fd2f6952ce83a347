"""Human, learned and analytic sessions in one panel."""

from collections.abc import Sequence

import pandas as pd

from dcg_econ.analysis.benchmarks import REFERENCE
from dcg_econ.analysis.names import require_columns
from dcg_econ.analysis.points import PARAMETERS
from dcg_econ.analysis.units import split_label

LABELS = "variable_labels"
OTREE_COLUMNS = "otree_columns"
NEEDED = ("treatment", "session", "round", "participant", "agent_type")
TRUE_IF_ABSENT = ("converged", "complete")  # people need not converge; a simulated round is complete


def stack_panels(*panels: pd.DataFrame, names: Sequence[str] | None = None, money: str | None = None) -> pd.DataFrame:
    """The panels below each other, one row per session x round x player, for `welfare_table` and `treatment_effects`.

    Sessions of different panels get different numbers (each panel's own, after the largest before). `names`, one per panel,
    go before its treatments ("people_high"): needed where different agents play a treatment of the same name, which would
    be pooled. `money` is what to call the money where the panels' labels name different ones, which says that they are
    worth the same. `treat_*` columns are made anew; labels and parameters are joined, the first panel's word holds.

    Raises ValueError for a panel without a needed column, treatments that would pool different agents, and
    payoffs in different money.
    """
    if not panels:
        raise ValueError("no panels to stack: give at least one")
    if names is not None and len(names) != len(panels):
        raise ValueError(f"{len(names)} `names` for {len(panels)} panels: give one for each")
    for panel in panels:
        require_columns(panel, NEEDED)
    units = _units(panels, money)
    parts, start = [], 0
    for place, panel in enumerate(panels):
        part = panel[[name for name in panel if not str(name).startswith("treat_")]].copy()
        part.attrs = {}
        part["session"] = part["session"].astype("int64") + start
        start = int(part["session"].max()) + 1 if len(part) else start
        if names is not None:
            part["treatment"] = names[place] + "_" + part["treatment"].astype(str)
        parts.append(part.assign(**{name: True for name in TRUE_IF_ABSENT if _lacks(name, part, panels)}))
    _check_agents(parts)
    stacked = pd.concat(parts, ignore_index=True)
    treatments = list(stacked["treatment"].unique())
    for name in treatments:
        stacked[f"treat_{name}"] = stacked["treatment"].eq(name).astype(float)
    stacked.attrs = {
        LABELS: {f"treat_{name}": f"Treatment: {str(name).replace('_', ' ')}" for name in treatments}
        | {
            column: _renamed(text, units[place], money)
            for place in reversed(range(len(panels)))
            for column, text in panels[place].attrs.get(LABELS, {}).items()
            if column in stacked
        },
        PARAMETERS: list(dict.fromkeys(name for panel in panels for name in panel.attrs.get(PARAMETERS) or ())),
    }
    said = _reference(panels)
    stacked.attrs |= {} if said is None else {REFERENCE: said}
    read = [panel.attrs[OTREE_COLUMNS] for panel in reversed(panels) if OTREE_COLUMNS in panel.attrs]
    if read:
        stacked.attrs[OTREE_COLUMNS] = {name: column for columns in read for name, column in columns.items()}
    return stacked


def _reference(panels: Sequence[pd.DataFrame]) -> str | None:
    """Whose equilibrium Nash is: the panels' own word where they agree, each one's own ("") where they do not."""
    said = {panel.attrs.get(REFERENCE) for panel in panels}
    kinds = [set(panel["mechanism"]) if "mechanism" in panel else set() for panel in panels]
    if said == {None}:
        return "" if any(kind != kinds[0] for kind in kinds) else None
    return said.pop() if len(said) == 1 else ""


def _lacks(name: str, part: pd.DataFrame, panels: Sequence[pd.DataFrame]) -> bool:
    return name not in part and any(name in panel for panel in panels)


def _units(panels: Sequence[pd.DataFrame], money: str | None) -> list[str]:
    """What each panel's label of `payoff` counts in; empty where it does not say."""
    units = [split_label(panel.attrs.get(LABELS, {}).get("payoff", ""))[1] for panel in panels]
    told = list(dict.fromkeys(unit for unit in units if unit))
    if money is None and len(told) > 1:
        raise ValueError(
            f"payoffs in different money: {'; '.join(told)}; read the exports with one `money` (Exchange converts points), "
            'or say that they are worth the same with stack_panels(..., money="...")'
        )
    return units


def _renamed(text: str, unit: str, money: str | None) -> str:
    """The label with its money called `money`."""
    return text.replace(f", {unit}", f", {money}") if money and unit else text


def _check_agents(parts: Sequence[pd.DataFrame]) -> None:
    seen: dict[str, frozenset] = {}
    for part in parts:
        for name, agents in part.groupby("treatment", sort=False)["agent_type"]:
            who = frozenset(agents.dropna())
            if seen.setdefault(name, who) != who:
                raise ValueError(
                    f"treatment `{name}` is played by {' and '.join(sorted(seen[name]))} in one panel and by "
                    f"{' and '.join(sorted(who))} in another, and would be pooled: give names=(...), one per panel"
                )
