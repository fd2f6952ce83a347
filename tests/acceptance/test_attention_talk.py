"""Gradient-aware attention before bargaining, and when nats are paid for: the studies `attention_bargaining` and
`attention_prices`, kept in build/. About a quarter of an hour and an hour on one core; they go on where they stopped."""

import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

import dcg_econ as dcg
from dcg_econ.analysis import information_cost_table
from dcg_econ.experiments.referential import arrivals, first_arrivals
from tests.acceptance.test_attention import PAIRS
from tests.house.tree import ROOT

BATCH = 64
TARGETS = (
    0.9,
    0.99,
)  # of first best: the first is reached before the second record, which is nothing to tell variants by


@pytest.fixture(scope="module")
def history():
    study = dcg.Study.load("attention_bargaining", ROOT / "build" / "attention_bargaining")
    study.run()
    return pd.concat(study.results().frames("history"), ignore_index=True)


@pytest.fixture(scope="module")
def priced():
    study = dcg.Study.load("attention_prices", ROOT / "build" / "attention_prices")
    table = information_cost_table(study.run())
    print("\n", table)
    return table.to_frame()


def compared(history, target):
    """Episodes to the target, paired by session, and the final score; Holm's correction over all pairs and both."""
    first = {name: first_arrivals(own, BATCH, target)["episodes"] for name, own in history.groupby("treatment")}
    last = history[history["step"] == history["step"].max()].pivot(
        index="session", columns="treatment", values="efficiency"
    )
    rows = []
    for one, other in PAIRS:
        for what, gap in {"episodes": first[one] - first[other], "final score": last[one] - last[other]}.items():
            low, high = stats.t.interval(0.95, len(gap) - 1, gap.mean(), stats.sem(gap)) if gap.std() > 0 else (0, 0)
            p = stats.ttest_1samp(gap, 0).pvalue if gap.std() > 0 else 1.0
            rows.append((one, other, what, gap.mean(), low, high, p))
    found = pd.DataFrame(rows, columns=["one", "other", "what", "more", "low", "high", "p"])
    return found.assign(holm=multipletests(found["p"], method="holm")[1])


def test_every_variant_learns_to_bargain_jointly(history):
    for target in TARGETS:
        race = arrivals(history, BATCH, target).set_index("treatment")
        print(f"\nto {target} of first best\n", race.to_string(float_format="{:.4g}".format))
        assert (race.sessions == 20).all() and (race.arrived == 1).all()
    assert (race.discretised > 0.99).all()


def test_what_awareness_changes_before_bargaining_is_told_with_its_correction(history):
    for target in TARGETS:
        found = compared(history, target)
        print(f"\nto {target} of first best\n", found.to_string(float_format="{:.4g}".format))
        assert len(found) == 2 * len(PAIRS) and found["holm"].between(found["p"], 1).all()


def test_dear_information_is_said_less(priced):
    for _, own in priced.groupby("curve"):
        nats, efficiency = own["nats"].to_numpy(), own["efficiency"].to_numpy()
        assert len(own) == 6 and nats[0] > nats[-1] and efficiency[0] > efficiency[-1]
    assert priced["difference"].notna().sum() == 18
