"""The pre-analysis plan: each hypothesis as declared, tested as declared, or the reason why it cannot be.

A hypothesis compares `treatment` with `against` (a treatment, or for efficiency the benchmarks "nash", "second_best",
"first_best") on one outcome. The estimate is the mean over the grid points of the difference within each, every point alike:

(1)  d = (1/G) sum_g (R_g,treatment - R_g,against),  R = E welfare / E first best for efficiency, else a mean over rounds

with the standard error of `inference`, clustered by session, paired where both have the sessions (else Welch). With a
margin m the claim is |d| < m and is tested by two one-sided tests (TOST): p = max(P(T > (d + m)/se), P(T < (d - m)/se)).
p values are adjusted within a family, by Holm's method unless the study declared another (see `corrections`); a hypothesis
that could not be tested keeps its place with p = 1, so that a failed cell makes no other claim easier. Source: Schuirmann
(1987).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from dcg_econ.analysis.benchmarks import COLUMNS
from dcg_econ.analysis.corrections import HOLM, AbstractCorrection, Claim
from dcg_econ.analysis.inference import Estimate, SessionTerms, session_terms
from dcg_econ.analysis.names import nearest
from dcg_econ.analysis.panels import market_days, sound_days
from dcg_econ.analysis.plan_print import plan_table_of
from dcg_econ.analysis.points import cell_text, in_cell, matches, point_text, points_of, varied
from dcg_econ.analysis.sessions import ALIASES
from dcg_econ.analysis.style import treatment_label
from dcg_econ.analysis.tables import Table

LEVEL = 0.05
ALTERNATIVES = ("two-sided", "greater", "less")

ROUNDING = 1e-10  # differences and errors below this share of the outcome's size are the arithmetic's


@dataclass(frozen=True)
class Hypothesis:
    """A declared comparison; `margin` (in the outcome's unit) makes it a claim of equality; `at` fixes parameters."""

    name: str
    outcome: str
    treatment: str
    against: str
    alternative: str = "two-sided"
    family: str = ""
    margin: float | int | None = None
    at: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def read(cls, declared: Mapping[str, object]) -> "Hypothesis":
        """From a mapping; raises ValueError that names the field and what it may be."""
        known = list(cls.__dataclass_fields__)
        for key in declared:
            if key not in known:
                raise ValueError(f"a hypothesis has no field `{key}`{nearest(key, known)}")
        for key in ("name", "outcome", "treatment", "against"):
            if not declared.get(key):
                raise ValueError(f"hypothesis {dict(declared)} lacks `{key}`: say name, outcome, treatment and against")
        kept = {key: value for key, value in declared.items() if value is not None}
        made = cls(**kept)
        if made.alternative not in ALTERNATIVES:
            raise ValueError(
                f"hypothesis `{made.name}`: alternative `{made.alternative}` is not one of {', '.join(ALTERNATIVES)}"
            )
        if made.margin is not None and not made.margin > 0:
            raise ValueError(f"hypothesis `{made.name}`: margin {made.margin} must be above 0, in the outcome's unit")
        return made


def plan_table(
    panel: pd.DataFrame,
    hypotheses: Sequence[Mapping[str, object]],
    cells: pd.DataFrame | None = None,
    parameters: Sequence[str] | None = None,
    correction: AbstractCorrection = HOLM,
) -> Table:
    """Each declared hypothesis with its estimate, test, p value, adjusted p value within its family and verdict.

    `cells` (treatment, status, parameters) tells which cells were planned: a hypothesis that needs one without whole
    sessions is not tested. `correction` adjusts within families: `Holm()`, or `RomanoWolf(draws=9999, seed=0)`.
    `to_frame()`: one row per hypothesis, columns as declared, then estimate, se, low, high (95%), df, sessions, test, p,
    correction, p_adjusted, verdict, reason (empty where tested). Raises ValueError for a malformed hypothesis.
    """
    declared = [Hypothesis.read(item) for item in hypotheses]
    called = [item.name for item in declared]
    if len(set(called)) < len(called):
        raise ValueError(f"two hypotheses have one name among {', '.join(called)}: give each its own")
    names = tuple(panel.attrs.get("parameters") or ()) if parameters is None else tuple(parameters)
    swept = varied([panel if len(panel) else None, cells], names)
    outcomes = dict.fromkeys(ALIASES.get(item.outcome, item.outcome) for item in declared)
    days = _days(panel, tuple(outcomes), swept)
    points = _points([days, cells], swept)
    rows, tested = zip(*(_row(item, days, points, swept) for item in declared), strict=True)
    frame = _adjusted(pd.DataFrame(rows).set_index("name"), tested, correction)
    frame["verdict"] = [_verdict(item, row) for item, row in zip(declared, frame.to_dict("records"), strict=True)]
    return plan_table_of(frame, panel.attrs.get("variable_labels", {}), LEVEL, correction.rule)


def _points(frames: Sequence[pd.DataFrame | None], swept: Sequence[str]) -> list[tuple]:
    """The points of the design: those that were planned and those that have rows."""
    have = [frame[list(swept)] for frame in frames if frame is not None and len(frame) and set(swept) <= set(frame)]
    return points_of(pd.concat(have), swept) if have else [()]


def _days(panel: pd.DataFrame, outcomes: Sequence[str], swept: Sequence[str]) -> pd.DataFrame | None:
    if panel.empty:
        return None
    keep = [name for name in outcomes if name in panel and name not in ("treatment", "session", "round", *swept)]
    return sound_days(market_days(panel, keep=keep, parameters=swept))


def _row(item: Hypothesis, days: pd.DataFrame | None, points: Sequence[tuple], swept: Sequence[str]):
    """A hypothesis as declared with what was found, and as its correction sees it."""
    row = {key: getattr(item, key) for key in Hypothesis.__dataclass_fields__}
    row["at"] = point_text(tuple(item.at), tuple(item.at.values()))
    empty = dict.fromkeys(("estimate", "se", "low", "high", "df", "p"), np.nan) | {"sessions": 0, "test": ""}
    try:
        estimate, terms = _estimated(item, days, points, swept)
        p, test = _tested(item, estimate, terms.paired)
    except ValueError as error:
        return row | empty | {"reason": str(error)}, Claim(np.nan)
    found: dict[str, object] = {
        "estimate": estimate.value,
        "se": estimate.se,
        "low": estimate.low,
        "high": estimate.high,
    }
    found |= {"df": estimate.df, "p": p, "sessions": estimate.sessions, "test": test, "reason": ""}
    null, side = _null(item, estimate.value)
    return row | found, Claim(p, null, side, estimate.df, terms)


def _null(item: Hypothesis, value: float) -> tuple[float, str]:
    """The null difference and the side of the claim: of equality, that of the margin that the estimate is nearer to."""
    if item.margin is None:
        return 0.0, item.alternative
    return (item.margin, "less") if value >= 0 else (-item.margin, "greater")


def _estimated(item: Hypothesis, days: pd.DataFrame | None, points, swept) -> tuple[Estimate, SessionTerms]:
    """Equation (1) and what each session adds to it; ValueError says why it cannot be had."""
    if days is None or days.empty:
        raise ValueError("no session has finished")
    for name in item.at:
        if name not in swept:
            raise ValueError(f"the study sweeps no parameter `{name}`{nearest(name, swept)}")
    wanted = [point for point in points if matches(item.at, swept, point)]
    if not wanted:
        raise ValueError(f"the grid has no point with {point_text(tuple(item.at), tuple(item.at.values()))}")
    numerator, denominator = _ratio_of(item, days)
    pairs = []
    for point in wanted:
        own = _whole(days, swept, (item.treatment, *point), numerator, item.outcome)
        pairs.append((own, _other(item, days, swept, point, own, numerator)))
    scale = max(1e-300, *(abs(side[numerator]).max() for pair in pairs for side in pair))
    ratios = denominator != "_one"
    terms = session_terms([tuple(side.assign(_one=1.0) for side in pair) for pair in pairs], numerator, denominator)
    return _rounded(terms.estimate(), 1.0 if ratios else float(scale)), terms


def _ratio_of(item: Hypothesis, days: pd.DataFrame) -> tuple[str, str]:
    if item.outcome == "efficiency":
        return "welfare", "first_best"
    name = ALIASES.get(item.outcome, item.outcome)
    if name not in days or not pd.api.types.is_numeric_dtype(days[name]):
        raise ValueError(
            f"the panel has no numeric outcome `{item.outcome}` with one value a round{nearest(name, days)}"
        )
    return name, "_one"


def _other(item: Hypothesis, days, swept, point, own: pd.DataFrame, numerator: str) -> pd.DataFrame:
    """The days of `against` at a point: a treatment's own, or a benchmark's on the treatment's days."""
    if item.against in set(days["treatment"]) or item.against not in COLUMNS:
        return _whole(days, swept, (item.against, *point), numerator, item.outcome)
    if item.outcome != "efficiency":
        raise ValueError(f"`{item.against}` is a benchmark of efficiency only, not of `{item.outcome}`")
    column = COLUMNS[item.against]
    if column not in own or own[column].isna().any():
        where = cell_text(treatment_label(item.treatment), swept, point)
        raise ValueError(f"`{column}` is missing for {where}")
    return own.assign(welfare=own[column])


def _whole(days: pd.DataFrame, swept, cell: tuple, column: str, outcome: str) -> pd.DataFrame:
    """A cell's days in the sessions whose outcome is finite on every day."""
    where = cell_text(treatment_label(cell[0]), swept, cell[1:])
    own = in_cell(days, swept, cell)
    if own.empty:
        raise ValueError(f"{where} has no session that finished: the cell failed, is missing, or was not declared")
    bad = (~np.isfinite(own[column].astype(float))).groupby(own["session"]).transform("any")
    if bad.all():
        raise ValueError(f"`{outcome}` is missing in every session of {where}")
    return own[~bad]


def _rounded(estimate: Estimate, scale: float) -> Estimate:
    value = 0.0 if abs(estimate.value) <= ROUNDING * scale else estimate.value
    if not np.isfinite(estimate.se):
        raise ValueError("one session gives no standard error: run more sessions")
    if estimate.se > ROUNDING * scale:
        return estimate
    return Estimate(value, 0.0, value, value, estimate.df, estimate.sessions)


def _tested(item: Hypothesis, estimate: Estimate, paired: bool) -> tuple[float, str]:
    """The p value by Student's t and the name of the test."""
    df = f"{estimate.df:.0f}" if paired else f"{estimate.df:.1f}"
    kind = f"{'paired' if paired else 'Welch'} t, {df} df"
    if item.margin is not None:
        return estimate.p_equal(item.margin), f"TOST, {kind}"
    sides = "two-sided" if item.alternative == "two-sided" else "one-sided"
    return estimate.p(item.alternative), f"{sides}, {kind}"


def _adjusted(frame: pd.DataFrame, tested: Sequence[Claim], correction: AbstractCorrection) -> pd.DataFrame:
    """Adds `correction` and `p_adjusted`, family by family."""
    adjusted = np.full(len(frame), np.nan)
    for family in frame["family"].unique():
        own = np.flatnonzero(frame["family"] == family)
        adjusted[own] = correction.adjust([tested[int(i)] for i in own])
    return frame.assign(correction=correction.label, p_adjusted=adjusted)


def _verdict(item: Hypothesis, row: Mapping) -> str:
    if row["reason"]:
        return "not tested"
    supported = row["p_adjusted"] < LEVEL
    own, other = treatment_label(item.treatment), treatment_label(item.against)
    if item.margin is not None:
        return f"{'equality supported' if supported else 'equality not established'}: within ±{item.margin:g}"
    if supported:
        return f"supported: {own} {'above' if row['estimate'] > 0 else 'below'} {other}"
    against = {"greater": -1.0, "less": 1.0}.get(item.alternative, 0.0) * float(row["estimate"]) > 0
    return "not supported; the estimate has the other sign" if against else "not supported"
