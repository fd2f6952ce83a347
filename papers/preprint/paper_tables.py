"""The tables of the pre-print, from its data: each as a `Table`, whose frame also feeds the macros of the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
from paper_data import DATA, StudyData, read

from dcg_econ import analysis
from dcg_econ.analysis import Table
from dcg_econ.analysis.inference import ratio
from dcg_econ.analysis.tables import number_text, with_errors
from dcg_econ.experiments.referential import arrivals, gaps

RACES = {"referential": (512, 0.95), "discrimination": (512, 0.95), "attention": (256, 0.90)}  # batch, target
PAIRS = (("running", "plain"), ("predicted", "plain"), ("placebo", "plain"), ("running", "placebo"))
STUDIES = (
    "referential",
    "discrimination",
    "attention",
    "attention_prices",
    "double_blind",
    "talk_bargaining",
    "public_goods",
    "shaping",
)


def load(data: Path = DATA) -> dict[str, StudyData]:
    """Every study of the pre-print."""
    return {name: read(name, data) for name in STUDIES}


def tables(studies: Mapping[str, StudyData], data: Path = DATA) -> dict[str, Table]:
    """Every table by the name of its file and label."""
    made = {"gradients": gradients(pd.read_csv(data / "gradients.csv"))}
    for name, (batch, target) in RACES.items():
        made[name] = race(studies[name], batch, target)
    made["attention_gaps"] = attention_gaps(studies["attention"])
    made["attention_prices"] = analysis.information_cost_table(studies["attention_prices"].panel)
    made["talk_bargaining"] = analysis.talk_table(studies["talk_bargaining"].panel)
    made["double_blind"] = analysis.incentives_table(studies["double_blind"].panel)
    made["public_goods"] = analysis.institutions_table(studies["public_goods"].panel)
    made["institutions"] = institutions(pd.read_csv(data / "institutions.csv"))
    made["shaping"] = analysis.welfare_table(studies["shaping"].panel, against="first_best")
    made["hypotheses"] = hypotheses(studies)
    made["replications"] = replications(data / "replications.csv")
    return {name: replace(table, name=name, title=_title(name, table, studies)) for name, table in made.items()}


def _title(name: str, table: Table, studies: Mapping[str, StudyData]) -> str:
    """The paper's own title, with the number of sessions where the table is of a study."""
    title = TITLES.get(name, table.title)
    return f"{title} ({studies[name].about['sessions']} sessions a treatment)" if name in studies else title


TITLES = {
    "referential": "Reconstruction: episodes to the target, and scores",
    "discrimination": "Discrimination among eight objects: episodes to the target, and scores",
    "attention": "Attention that is told about gradients: episodes to the target, and scores",
    "attention_prices": "The information-cost curve of four kinds of attention",
    "talk_bargaining": "Talk before sealed bids: surplus and bits",
    "double_blind": "The price of incentives before sealed bids, transformers",
    "public_goods": "Institutions for a public good",
    "shaping": "The iterated prisoner's dilemma",
}


def race(study: StudyData, batch: int, target: float) -> Table:
    """Episodes until a session is first evaluated at the target, and the score at the end."""
    frame = arrivals(study.history, batch, target).set_index("treatment")
    printed = pd.DataFrame(
        {
            "Treatment": [label(name) for name in frame.index],
            f"Episodes to {target:g}": [f"{row.episodes:,.0f} [{row.low:,.0f}, {row.high:,.0f}]" for row in frame.itertuples()],
            "Arrived": [f"{row.arrived * row.sessions:.0f} of {row.sessions}" for row in frame.itertuples()],
            "Final score (sd)": [f"{row.discretised:.4f} ({row.sd:.4f})" for row in frame.itertuples()],
            "As trained": [f"{value:.4f}" for value in frame["soft"]],
        },
        dtype=object,
    )  # fmt: skip
    notes = (
        f"Episodes until a session is first evaluated at {target:g} of the best score or more, mean over sessions with 95% "
        f"interval (Student's t); sessions that never arrive count as the budget of {frame['budget'].iloc[0]:,.0f} episodes. "
        "Final score: messages held to symbols where they are symbols, standard deviation over sessions in brackets; as "
        "trained: with soft messages.",
    )
    return Table(frame, "", notes, printed=printed)


def attention_gaps(study: StudyData) -> Table:
    """Differences of episodes between kinds of attention."""
    batch, target = RACES["attention"]
    frame = gaps(study.history, PAIRS, batch, target)
    frame = frame.set_index(frame["one"] + "_less_" + frame["other"])
    printed = pd.DataFrame(
        {
            "Comparison": [f"{label(row.one)} less {label(row.other).lower()}" for row in frame.itertuples()],
            "Episodes more": [f"{row.more:,.0f} [{row.low:,.0f}, {row.high:,.0f}]" for row in frame.itertuples()],
            "p": [p_text(value) for value in frame["p"]],
            "p, Holm": [p_text(value) for value in frame["p_holm"]],
        },
        dtype=object,
    )
    notes = (
        "Paired by session: the same objects, seeds, widths and steps. 95% intervals and p values by Student's t, adjusted "
        f"by Holm's method over the {len(frame)} comparisons.",
    )
    return Table(frame, f"Attention: episodes to {target:g}, differences", notes, printed=printed)


def gradients(measured: pd.DataFrame) -> Table:
    """GSNR of the sender's gradient by stage of learning."""
    rows = {}
    for step, own in measured.groupby("step"):
        wide = own.pivot(index="session", columns="estimator", values="gsnr").reset_index()
        times = ratio(wide, "pathwise", "score_function")
        mean, error = wide.mean(numeric_only=True), wide.sem(numeric_only=True)
        rows[f"after_{step}"] = {
            "steps": step, "accuracy": own["efficiency"].mean(), "pathwise": mean["pathwise"],
            "pathwise_se": error["pathwise"], "score": mean["score_function"], "score_se": error["score_function"],
            "times": times.value, "times_low": times.low, "times_high": times.high, "sessions": len(wide),
        }  # fmt: skip
    frame = pd.DataFrame.from_dict(rows, orient="index")
    printed = pd.DataFrame(
        {
            "Steps learned": [f"{row.steps}" for row in frame.itertuples()],
            "Score": ["–" if pd.isna(row.accuracy) else f"{row.accuracy:.3f}" for row in frame.itertuples()],
            "Pathwise": [f"{row.pathwise:.3g} ({row.pathwise_se:.2g})" for row in frame.itertuples()],
            "Score function": [f"{row.score:.2g} ({row.score_se:.1g})" for row in frame.itertuples()],
            "Ratio": [f"{row.times:,.0f} [{row.times_low:,.0f}, {row.times_high:,.0f}]" for row in frame.itertuples()],
        },
        dtype=object,
    )
    sessions = int(frame["sessions"].max())
    notes = (
        f"GSNR: squared length of a gradient's mean over the trace of its covariance, over the channel's noise, with "
        f"parameters and objects held; {sessions} independent pairs, standard errors over them in brackets. Score function: "
        "REINFORCE with the mean of the other episodes as baseline. Ratio of the means, with 95% interval.",
    )
    return Table(frame, "Signal to noise of the sender's gradient, reconstruction", notes, printed=printed)


def institutions(measured: pd.DataFrame) -> Table:
    """Share of the possible gains by institution and message."""
    names = measured["institution"] + " " + measured["message"]
    frame = measured.set_index(names)
    printed = pd.DataFrame(
        {
            "Institution": list(measured["institution"]),
            "Message": list(measured["message"]),
            "Gains (%)": [
                f"{100 * r.efficiency:.2f} [{100 * r.efficiency_low:.2f}, {100 * r.efficiency_high:.2f}]"
                for r in measured.itertuples()
            ],
            "Budget surplus (%)": [number_text(100 * value, ".2f") for value in measured["budget_surplus"]],
        },
        dtype=object,
    )
    notes = (
        "Share of the possible gains over the status quo, with 95% interval over "
        f"{int(measured['sessions'].max())} learned groups (Student's t). Chat: the learned number in one of eight words. "
        "Budget surplus: share of the possible gains that nobody has.",
    )
    return Table(frame, "Institutions for a public good by message", notes, printed=printed, text=("Message",))


def hypotheses(studies: Mapping[str, StudyData]) -> Table:
    """Every hypothesis that a study of the pre-print declared, and what was found."""
    frames = []
    for name, study in studies.items():
        declared = study.about["specification"]["hypotheses"]
        if declared:
            found = analysis.plan_table(study.panel, declared).to_frame()
            frames.append(found.assign(study=name))
    frame = pd.concat(frames).rename(columns={name: f"estimate_{name}" for name in ("se", "low", "high")})
    frame.index = [f"{study}_{name}" for study, name in zip(frame["study"], frame.index, strict=True)]
    printed = pd.DataFrame(
        {
            "Study": [label(name) for name in frame["study"]],
            "Declared": [claim(row) for row in frame.to_dict("records")],
            "Estimate (s.e.)": with_errors(frame["estimate"], frame["estimate_se"], ".4f"),
            "p, adjusted": [p_text(value) for value in frame["p_adjusted"]],
            "Verdict": list(frame["verdict"]),
        },
        dtype=object,
    )
    notes = (
        "Declared in the specifications of experiments/catalog; estimates are treatment less the other, efficiency as a share "
        "of first best, standard errors clustered by session; p adjusted by Holm's method within a study.",
    )
    text = ("Declared", "Verdict", "Study")
    return Table(frame, "Every hypothesis as declared, and what was found", notes, printed=printed, text=text)


def claim(row: Mapping[str, object]) -> str:
    """A hypothesis in words."""
    own, other = label(str(row["treatment"])), label(str(row["against"])).lower()
    if row["margin"] is not None and not pd.isna(row["margin"]):
        return f"{own} equals {other} within {row['margin']:g}"
    return f"{own} {({'greater': 'above', 'less': 'below'}).get(str(row['alternative']), 'differs from')} {other}"


def replications(path: Path) -> Table:
    """The table of `dcg-econ replicate --all`, as it was last written."""
    frame = pd.read_csv(path)
    printed = pd.DataFrame(
        {
            "Result": frame["paper"] + ": " + frame["result"],
            "Published": [f"{row.published:.6g}{' (d)' * (row.kind == 'derived')}" for row in frame.itertuples()],
            "Here": [f"{value:.6g}" for value in frame["here"]],
            "Tolerance": [f"{value:.1g}" for value in frame["tolerance"]],
            "Verdict": list(frame["verdict"]),
        },
        dtype=object,
    )  # fmt: skip
    notes = (
        "(d): derived, and found by a second method that does not use the package. Sources: papers/ of the repository.",
    )
    return Table(frame, "Results of the literature, computed again", notes, printed=printed)


def label(name: str) -> str:
    """A name of a specification as it is printed."""
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]


def p_text(value: float) -> str:
    """A p value with three digits, or a bound."""
    return "–" if pd.isna(value) else "< .001" if value < 0.0005 else f"{value:.3f}"
