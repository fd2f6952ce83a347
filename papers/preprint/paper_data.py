"""The data of the pre-print: what studies found, reduced to one row a session, role and treatment, kept beside the text.

    python papers/preprint/paper_data.py results/double_blind results/shaping ...

writes `data/<study>/` from folders of results: panel.csv (means over rounds, with codebook), history.csv (records of
training), study.json (the specification as run, commit, versions, seconds). A ratio of session means weighs rounds as the ratio
of sums does, since sessions of a study have equally many rounds; so tables of efficiency are those of the whole panel.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dcg_econ.analysis import read_csv, write_csv
from dcg_econ.experiments.results import Results
from dcg_econ.experiments.store import DONE, Store

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
KEYS = ["cell", "session", "participant", "role", "mechanism", "treatment", "agent_type"]
RECORDED = ["treatment", "session", "step", "efficiency", "soft", "nats", "failed"]


class StudyData(NamedTuple):
    """What is kept of a study."""

    panel: pd.DataFrame
    history: pd.DataFrame
    about: dict[str, Any]


def collect(results: Path, data: Path = DATA) -> Path:
    """Reduces the results of one study; ValueError where cells are missing or failed."""
    found = Results(Store(results))
    status = found.status()
    if (status["status"] != DONE).any():
        raise ValueError(f"{results}: cells are missing or failed; run the study to its end first")
    name, specification, run = results.name, found.specification, found.run()
    folder = data / name
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(reduced(found.panel()), folder / "panel.csv")
    history = pd.concat(found.frames("history"), ignore_index=True)
    history.reindex(columns=RECORDED).to_csv(
        folder / "history.csv", index=False, float_format="%.7g", lineterminator="\n"
    )
    about = {
        "study": name,
        "specification": specification.model_dump(mode="json"),
        "commits": found.commits(),
        "versions": run["versions"],
        "hardware": run["hardware"],
        "seconds": float(status["seconds"].sum()),
        "sessions": int(status["sessions"].max()),
        "unconverged": status.set_index("cell")["unconverged"].astype(int).to_dict(),
    }
    (folder / "study.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return folder


def reduced(panel: pd.DataFrame) -> pd.DataFrame:
    """One row a cell, session and participant: means over rounds; a session has converged where it has in every round."""
    labels = panel.attrs.get("variable_labels", {})
    numbers = [name for name in panel if name not in (*KEYS, "round")]
    mean = panel.groupby(KEYS, sort=False, observed=True, dropna=False)[numbers].mean(numeric_only=True).reset_index()
    mean = mean.assign(round=0, converged=mean["converged"] == 1)
    mean.attrs = {"variable_labels": labels | {"round": "Round (means over all rounds of the session)"}}
    return mean


def read(name: str, data: Path = DATA) -> StudyData:
    """What is kept of a study; FileNotFoundError that says how to make it."""
    folder = data / name
    if not (folder / "study.json").is_file():
        raise FileNotFoundError(
            f"{folder} holds no study: run `make paper-data`, or dcg-econ run {name} and collect it"
        )
    about = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    return StudyData(read_csv(folder / "panel.csv"), pd.read_csv(folder / "history.csv"), about)


def main() -> None:
    for folder in sys.argv[1:]:
        print(f"wrote {collect(Path(folder))}")


if __name__ == "__main__":
    main()
