"""The information-cost curve: what is reached against the nats that are said, as information becomes dearer.

Treatments whose names differ in a last number alone, `plain_1`, `plain_2`, ..., are one curve: the same players at one price
of information after another. Efficiency is E welfare / E first best, nats are those of one giver's messages in a round, both
with standard errors clustered by session. Curves are compared with the first one at the same number, paired by session where
sessions are shared; p values by Student's t are adjusted for all comparisons of the table by Holm's method (1979).
"""

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from dcg_econ.analysis.effects_print import p_text
from dcg_econ.analysis.figures import figure_of, styled
from dcg_econ.analysis.inference import UNKNOWN, Estimate, mean_difference, mean_per_day
from dcg_econ.analysis.names import require_columns
from dcg_econ.analysis.panels import market_days, sound_days
from dcg_econ.analysis.style import looks, treatment_label
from dcg_econ.analysis.tables import Table, with_errors
from dcg_econ.analysis.welfare import efficiency

FEWEST = 3  # points of a curve
NUMBERED = re.compile(r"^(.+)_(\d+)$")
LN2, PP = float(np.log(2.0)), 100.0


def cost_curves(treatments: Iterable[object]) -> dict[str, list[str]]:
    """The treatments of each curve in the order of their numbers; curves of fewer than three points are none."""
    found: dict[str, list[tuple[int, str]]] = {}
    for name in map(str, treatments):
        matched = NUMBERED.match(name)
        if matched:
            found.setdefault(matched[1], []).append((int(matched[2]), name))
    return {stem: [name for _, name in sorted(own)] for stem, own in found.items() if len(own) >= FEWEST}


def has_cost_curves(panel: pd.DataFrame) -> bool:
    """Whether the panel has two curves or more whose messages are known in bits."""
    if not {"bits", "treatment"} <= set(panel.columns) or panel["bits"].isna().all():
        return False
    return len(cost_curves(panel["treatment"].unique())) > 1


def information_cost_table(panel: pd.DataFrame) -> Table:
    """Efficiency and nats at every price, curve by curve, and each curve less the first.

    `to_frame()`: one row a treatment, with curve, number, efficiency and difference (shares of first best), nats, each with
    `_se`, `_low`, `_high` (95 %), p and p_holm. Raises ValueError where there are not two curves of three points.
    """
    require_columns(panel, ["bits"], "panel")
    if not has_cost_curves(panel):
        raise ValueError(
            f"no two curves of {FEWEST} treatments: name them alike but for a last number, plain_1, plain_2"
        )
    days = sound_days(market_days(panel))
    curves = cost_curves(panel["treatment"].unique())
    base = next(iter(curves))
    rows = {}
    for stem, names in curves.items():
        for place, name in enumerate(names):
            against = curves[base][place] if stem != base and place < len(curves[base]) else None
            rows[name] = {"curve": stem, "number": place + 1} | _row(panel, days, name, against)
    frame = _adjusted(pd.DataFrame.from_dict(rows, orient="index").rename_axis("treatment"))
    title = "What is reached against nats said, as information becomes dearer"
    return Table(frame, title, (_note(frame, base),), name="information_cost", printed=_printed(frame))


@styled
def information_cost_figure(panel: pd.DataFrame):
    """Efficiency (%) against nats said, one line a curve with 95 % intervals both ways; returns the Figure."""
    frame = information_cost_table(panel).to_frame()
    figure, axis = figure_of(6.6, 4.2, 1)
    for curve, look in looks(frame["curve"]).items():
        own = frame[frame["curve"] == curve]
        bars = {
            name: scale * np.stack([own[key] - own[f"{key}_low"], own[f"{key}_high"] - own[key]])
            for name, key, scale in (("yerr", "efficiency", PP), ("xerr", "nats", 1.0))
        }
        drawn = {"color": look.colour, "linestyle": look.line, "marker": look.marker, "capsize": 2, "label": look.label}
        axis.errorbar(own["nats"], PP * own["efficiency"], **bars, **drawn)
    axis.set_xlabel("Information said, nats per message")
    axis.set_ylabel("Efficiency, % of first best")
    axis.legend()
    return figure


def _row(panel: pd.DataFrame, days: pd.DataFrame, name: str, against: str | None) -> dict[str, float]:
    own = panel[(panel["treatment"] == name) & panel["bits"].notna()]
    said = mean_per_day(own, "bits").scaled(LN2) if len(own) else UNKNOWN
    gap = UNKNOWN
    if against is not None:
        sides = days[days["treatment"] == name], days[days["treatment"] == against]
        if not any(side.empty for side in sides):
            gap = mean_difference([sides], "welfare", "first_best")[0]
    level = efficiency(days, name) if name in set(days["treatment"]) else UNKNOWN
    flat: dict[str, float] = {}
    for key, estimate in {"efficiency": level, "nats": said, "difference": gap}.items():
        flat |= {key: estimate.value, f"{key}_se": estimate.se, f"{key}_low": estimate.low}
        flat |= {f"{key}_high": estimate.high}
    return flat | {"p": _p(gap), "sessions": level.sessions}


def _p(gap: Estimate) -> float:
    from scipy import stats

    return float(2 * stats.t.sf(abs(gap.value) / gap.se, gap.df)) if gap.se > 0 else np.nan


def _adjusted(frame: pd.DataFrame) -> pd.DataFrame:
    from statsmodels.stats.multitest import multipletests

    known = frame["p"].notna()
    frame["p_holm"] = np.nan
    if known.any():
        frame.loc[known, "p_holm"] = multipletests(frame.loc[known, "p"], method="holm")[1]
    return frame


def _printed(frame: pd.DataFrame) -> pd.DataFrame:
    columns = {
        "Treatment": [treatment_label(name) for name in frame.index],
        "Nats said": with_errors(frame["nats"], frame["nats_se"], ",.2f"),
        "Efficiency (%)": with_errors(PP * frame["efficiency"], PP * frame["efficiency_se"], ",.2f"),
        "Less the first curve (pp)": with_errors(PP * frame["difference"], PP * frame["difference_se"], ",.2f"),
        "p": [p_text(value) for value in frame["p"]],
        "p, Holm": [p_text(value) for value in frame["p_holm"]],
    }
    return pd.DataFrame(columns, dtype=object)


def _note(frame: pd.DataFrame, base: str) -> str:
    count = int(frame["sessions"].max())
    return (
        "Efficiency: E welfare / E first best; nats: information cost of one giver's messages in a round. Standard errors in "
        f"brackets are clustered by session ({count} sessions a treatment, Student's t on sessions - 1 degrees of freedom). "
        f"Less the first curve: less {treatment_label(base)} at the same price, in percentage points (pp), paired by session "
        f"where sessions are shared; Holm's correction over all {int(frame['p'].notna().sum())} comparisons."
    )
