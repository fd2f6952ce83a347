"""The pre-analysis plan of a study, from its specification alone: what will be run, tested and reported, before data exist."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from dcg_econ.analysis.deviations import fingerprint
from dcg_econ.analysis.material import Section, pairs
from dcg_econ.analysis.planned_power import planned_power
from dcg_econ.analysis.tables import MISSING, Table
from dcg_econ.experiments.codec import short_text, spelled_text
from dcg_econ.experiments.definitions import DEFINITIONS
from dcg_econ.experiments.specification import ROUNDS, Hypothesis, Specification, Treatment
from dcg_econ.experiments.store import to_json

MANY = 12  # entries of a list that are written out
CONDUCT = {
    "learned": "learns its reports by gradient steps",
    "nash": "plays the Nash equilibrium that is solved for",
    "price_taking": "takes prices as given, and so reports true marginal values",
}
OBJECTIVE = {"selfish": "its own payoff", "joint": "the sum of all payoffs"}
CLAIMS = {"two-sided": "differs from", "greater": "is above", "less": "is below"}
KNOWN = set(Hypothesis.model_fields) - {"name", "outcome", "treatment", "against", "alternative", "margin", "family"}

ESTIMATOR = (
    "Estimate of a hypothesis: d, the mean over the points g of the grid of R(g, treatment) - R(g, against), every point "
    "alike. R is E welfare / E first best for efficiency (sums over all rounds and sessions, so that no round without gains "
    "weighs like one with many), and the mean over rounds for every other outcome.",
    "Standard error: clustered by session, since the sessions are the independent draws. A session enters once, with its sum "
    "of the linearised differences u(s) over rounds and grid points: se = sqrt(S / (S - 1) x sum over s of u(s)^2). Treatments "
    "share their sessions' draws and are compared in pairs by session; sides that share no session are compared by Welch's "
    "error.",
    "Degrees of freedom: S - 1 for pairs of S sessions, Satterthwaite's for Welch's error. Test: Student's t, two-sided or "
    "one-sided as declared. A claim of equality within a margin is tested by two one-sided tests (TOST).",
)
RULES = (
    "Stopping: the number of sessions is fixed here. There is no interim look, and no session is added after a result was "
    "seen.",
    "A session with a round without finite welfare has failed: it enters no mean, and is counted in the report. A session "
    "that did not converge by the tolerance below stays in every mean, and is counted too.",
    "A cell that fails is reported with its error. A hypothesis that needs it is not tested, and keeps its place in its "
    "family with p = 1, so that the failure makes no other claim easier.",
    "No other exclusion. What is not declared here is description, and is reported as such.",
)


def preanalysis_sections(specification: Specification, cells: Sequence[str] = ()) -> list[Section]:
    """The sections of the plan; `cells` are the names of the cells that will be run, where they are known."""
    s = specification
    made = [
        Section("plan", "This plan", _head(s)),
        Section("mechanism", "Mechanism", (_mechanism(s),)),
        Section("treatments", "Treatments", (_treatments(s), *_grid(s, cells))),
        Section("hypotheses", "Hypotheses", _hypotheses(s)),
        Section("outcomes", "Outcomes", (_outcomes(s),)),
        Section("sample", "Sample and stopping", (_sample(s), RULES[0])),
        Section("analysis", "Estimation and tests", (*ESTIMATOR, _correction(s))),
        Section("exclusions", "Exclusions and failures", RULES[1:]),
        Section("power", "Power", _power(s)),
        Section("settings", "How players learn", (_settings(s),)),
    ]
    return [section for section in made if section.blocks]


def plain_tree(specification: Specification) -> dict[str, Any]:
    """The specification as JSON has it: what is hashed, registered and compared."""
    return json.loads(to_json(specification.model_dump()))


def _head(s: Specification) -> tuple:
    learned = sum(t.conduct == "learned" for t in s.treatments)
    return (
        f"Written from the specification alone, before any data: {len(s.treatments):,d} treatments, {learned:,d} of them "
        f"learned, {len(s.hypotheses):,d} hypotheses. The players are simulated: a session is one independent group.",
        f"SHA-256 of the specification (its JSON with sorted keys and without spaces): {fingerprint(plain_tree(s))}.",
    )


def _mechanism(s: Specification) -> Table:
    table = s.mechanism if s.mechanism is not None else {"kind": "calibrated market"} | s.calibration.model_dump()  # type: ignore[union-attr]
    rows = {"Mechanism": _words(str(table["kind"]))}
    rows |= {key: _value(value) for key, value in table.items() if key != "kind"}
    said = ("What is not given here is at the mechanism's default.",)
    return pairs(rows, "The mechanism and its parameters", "mechanism", "Parameter", "Value", said)


def _treatments(s: Specification) -> Table:
    rows = [_treatment(t) for t in s.treatments]
    frame = pd.DataFrame(rows, dtype=object).set_index("Treatment")
    notes = ("Climbs: whose payoffs the gradient of a learning player follows.",)
    return Table(frame, "Treatments in words", notes, name="treatments", text=tuple(frame.columns))


def _treatment(t: Treatment) -> dict[str, str]:
    learned = t.conduct == "learned"
    conduct = t.conduct if isinstance(t.conduct, str) else None
    words = CONDUCT.get(conduct, str(conduct)) if conduct else f"follows a fixed strategy: {_value(t.conduct)}"
    other = f"; mechanism: {_value(t.mechanism)}" if t.mechanism is not None else ""
    changes = f"; {_value(t.training)}" if t.training and learned else ""
    objective = OBJECTIVE.get(t.objective) if isinstance(t.objective, str) else None
    estimator = f", by {_value(t.estimator)}" if t.estimator is not None else ""
    return {
        "Treatment": t.name,
        "A player": words + other + changes,
        "Talk before the reports": "none" if t.protocol == "silence" else _value(t.protocol),
        "Climbs": (objective or _value(t.objective)) + estimator if learned else MISSING,
    }


def _grid(s: Specification, cells: Sequence[str]) -> tuple:
    count = f"{len(cells):,d} cells, a treatment at a point of the grid each." if cells else ""
    if not s.grid:
        return (count,) if count else ()
    rows = {key: "; ".join(_value(value) for value in values) for key, values in s.grid.items()}
    said = ("Every combination is run with every treatment." + (f" {count}" if count else ""),)
    return (pairs(rows, "Parameters that are varied", "grid", "Parameter", "Values", said),)


def _hypotheses(s: Specification) -> tuple:
    if not s.hypotheses:
        return ("None is declared: everything that the report says is description.",)
    frame = pd.DataFrame([_hypothesis(h) for h in s.hypotheses], dtype=object).set_index("Hypothesis")
    notes = ("Margins have the outcome's unit. p values are adjusted within a family.",)
    return (Table(frame, "Hypotheses", notes, name="hypotheses", text=("Claim", *frame.columns[4:])),)


def _hypothesis(h: Hypothesis) -> dict[str, str]:
    said = (
        f"equals {h.against} within ±{h.margin:g}" if h.margin is not None else f"{CLAIMS[h.alternative]} {h.against}"
    )
    row = {
        "Hypothesis": h.name,
        "Claim": f"{h.outcome}: {h.treatment} {said}",
        "Test": "TOST" if h.margin is not None else "two-sided" if h.alternative == "two-sided" else "one-sided",
        "Margin": MISSING if h.margin is None else f"{h.margin:g}",
        "Family": h.family,
    }
    return row | {_words(key).capitalize(): _value(getattr(h, key)) for key in sorted(KNOWN)}


def _outcomes(s: Specification) -> Table:
    known = {name: DEFINITIONS.get(name, ("an outcome of the study's own mechanism", MISSING)) for name in s.outcomes}
    rows = [{"Outcome": name, "Definition": text, "Unit": unit} for name, (text, unit) in known.items()]
    frame = pd.DataFrame(rows, dtype=object).set_index("Outcome")
    notes = (
        "Of one round of one session. First best: the largest welfare that the round's private information allows.",
    )
    return Table(frame, "Outcomes", notes, name="outcomes", text=("Definition", "Unit"))


def _sample(s: Specification) -> Table:
    days = "as many as the data have market days" if s.calibration is not None else f"{s.rounds or ROUNDS:,d}"
    rows = {
        "Sessions in a cell": f"{s.sessions:,d}",
        "Rounds on which a session is evaluated": days,
        "Seed": f"{s.seed}",
        "Draws": "the same types by session and round in all treatments, wherever their mechanisms draw alike",
    }
    return pairs(rows, "Sample", "sample", "Item", "Planned")


def _correction(s: Specification) -> str:
    """Holm's, unless the specification has a field that says otherwise."""
    families = {
        name: sum(h.family == name for h in s.hypotheses) for name in dict.fromkeys(h.family for h in s.hypotheses)
    }
    listed = ", ".join(f"{name} ({count})" for name, count in families.items()) or "none"
    return f"Several tests: p values are adjusted by {correction_of(s)} within each family: {listed}. Level: 5%."


def correction_of(specification: Any) -> str:
    """The correction for several tests, as a field of the specification may name it: `correction` or `corrections`."""
    named = [getattr(specification, key, None) for key in ("correction", "corrections")]
    said = next((value for value in named if value), None)
    if isinstance(said, Mapping):
        return "; ".join(f"{_words(str(value))} ({family})" for family, value in said.items())
    return "Holm's method" if said is None else f"{_words(str(said)).capitalize()}'s method"


def _power(s: Specification) -> tuple:
    if not s.hypotheses:
        return ()
    said = () if s.sessions > 1 else ("One session gives no standard error: no hypothesis can be tested.",)
    return (*said, planned_power([h.model_dump() for h in s.hypotheses], s.sessions))


def _settings(s: Specification) -> Table:
    rows = {key: _value(value) for key, value in s.training.model_dump(exclude_none=True).items()}
    rows |= {"regret tolerance (share of first best)": f"{s.tolerances.regret:g}", "precision": s.precision}
    return pairs(rows, "Training and tolerances", "settings", "Setting", "Value")


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _value(value: Any) -> str:
    """A value in words; of a long list its size and range."""
    if isinstance(value, list) and len(value) > MANY and all(isinstance(x, int | float) for x in value):
        return f"{len(value):,d} numbers from {min(value):g} to {max(value):g}"
    if isinstance(value, list) and not any(isinstance(x, Mapping) for x in value):
        return f"[{', '.join(short_text(x) for x in value)}]"
    if isinstance(value, Mapping):
        short = {k: v if not isinstance(v, list) else _value(v) for k, v in value.items()}
        return spelled_text(short)
    return spelled_text(value)
