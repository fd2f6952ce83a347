"""A study of bargaining from a script: estimator by mechanism, columns of both sides, second best beside Nash."""

import re

import jax
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.experiments import SpecificationError, load
from dcg_econ.experiments.benchmarks import second_best_rule
from dcg_econ.experiments.plan import cells_of, settings
from dcg_econ.experiments.specification import validate
from dcg_econ.experiments.study import Study
from dcg_econ.mechanisms import CurveMarket, DoubleAuction
from dcg_econ.mechanisms.bargaining.second_best import second_best
from tests.experiments.malformed import GOOD

ERRORS = 4  # standard errors of a mean over draws


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = dcg.Study(
        mechanism=DoubleAuction(k=0.5),
        treatments={"silence": dcg.Silence()},
        sessions=2,
        rounds=40,
        steps=20,
        batch=8,
        records=2,
        seed=1,
    )
    made.run(tmp_path_factory.mktemp("bargaining") / "out", quiet=True)
    return made


@pytest.fixture(scope="module")
def panel(study):
    return study.panel()


@pytest.mark.slow
def test_a_script_runs_and_learns_by_the_interim_estimator(study, panel):
    (cell,) = study.cells
    assert cell.document["estimator"] == {"kind": "interim"}
    assert study.specification.treatments[0].estimator is None
    assert len(panel) == 2 * 40 * 2 and list(panel["role"][:2]) == ["buyer", "seller"]
    assert (panel["agent_type"] == "learned").all() and np.isfinite(panel["regret"]).all()


@pytest.mark.slow
def test_a_round_in_the_panel_adds_up(panel):
    rounds = panel.groupby(["session", "round"])
    traded = rounds["traded"].first() == 1
    assert 0 < traded.sum() < len(traded) and (rounds["traded"].nunique() == 1).all()
    np.testing.assert_array_equal(rounds["price"].first().notna(), traded)
    np.testing.assert_allclose(rounds["payoff"].sum(), rounds["welfare"].first(), atol=1e-12)
    wide = panel.pivot(index=["session", "round"], columns="role", values=["type_value", "report", "price"])
    gain = wide["type_value"]["buyer"] - wide["type_value"]["seller"]
    np.testing.assert_allclose(rounds["welfare"].first(), np.where(traded, gain, 0), atol=1e-12)
    middle = 0.5 * (wide["report"]["buyer"] + wide["report"]["seller"])
    np.testing.assert_allclose(wide["price"]["buyer"][traded], middle[traded], atol=1e-12)


@pytest.mark.slow
def test_the_second_best_trades_where_a_quarter_can_be_gained(panel):
    # Myerson and Satterthwaite (1983), uniform types: trade where v - c >= 1/4, as in the affine equilibrium at k = 1/2.
    rounds = panel.groupby(["session", "round"])
    wide = panel.pivot(index=["session", "round"], columns="role", values="type_value")
    gain = wide["buyer"] - wide["seller"]
    best = rounds["second_best_welfare"].first()
    np.testing.assert_allclose(best, np.where(gain >= 0.25, gain, 0), atol=1e-9)
    np.testing.assert_allclose(best, rounds["nash_welfare"].first(), atol=1e-9)


@pytest.mark.slow
def test_labels_and_report_speak_of_bargaining(study, panel, tmp_path):
    labels = panel.attrs["variable_labels"]
    assert (
        labels["type_value"] == "Private value or cost, money per unit" and "Myerson" in labels["second_best_welfare"]
    )
    table = dcg.analysis.welfare_table(panel, against="nash")
    assert "Second best" in str(table) and "buyer, seller" in str(table)
    page = study.report(tmp_path / "bargaining.html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", " ", re.sub(r'src="data:[^"]*"', "", page))
    assert "Myerson and Satterthwaite 1983" in text and "market day" not in text and "schedule" not in text


def test_the_estimator_is_the_mechanisms_unless_given():
    plain = validate(GOOD)
    given = validate(GOOD | {"treatments": [t | {"estimator": "pathwise"} for t in GOOD["treatments"]]})
    assert [cell.hash for cell in cells_of(plain)] == [cell.hash for cell in cells_of(given)]
    auction = {k: v for k, v in GOOD.items() if k != "grid"} | {"mechanism": {"kind": "double_auction"}}
    for change, where in (({"estimator": "pathwise"}, "estimator"), ({"objective": "joint"}, "objective")):
        treatments = [auction["treatments"][0], {"name": "learned"} | change]
        with pytest.raises(SpecificationError, match=rf"treatments\[1\].{where}: .*give dcg"):
            cells_of(validate(auction | {"treatments": treatments}))


def test_a_table_in_the_grid_sets_several_parameters():
    specification = load("bargaining")
    documents = {cell.name: cell.document["mechanism"] for cell in cells_of(specification)}
    assert len(documents) == 18
    beta = documents["nash.priors=beta.k=0.25"]
    assert (beta["values"]["a"], beta["costs"]["a"], beta["k"]) == (2, 3, 0.25)
    assert "values" not in documents["nash.priors=uniform.k=0.25"]  # its defaults
    priors = [{"label": "narrow", "values": dcg.Uniform(0.4, 0.6)}, {"label": "wide", "values": dcg.Uniform(0.0, 1.0)}]
    study = Study(DoubleAuction(), {"nash": "nash"}, grid={"priors": priors}, sessions=1)
    assert study.cells[0].document["mechanism"]["values"]["low"] == pytest.approx(0.4)
    with pytest.raises(SpecificationError, match="`k` is set by another key too"):
        settings({"k": 0.5, "both": {"label": "one", "k": 0.1}})


def test_a_claim_may_be_made_against_a_benchmark_of_efficiency():
    claim = GOOD["hypotheses"][0] | {"against": "second_best"}
    assert validate(GOOD | {"hypotheses": [claim]}).hypotheses[0].against == "second_best"
    with pytest.raises(SpecificationError, match=r"hypotheses\[0\].against: no treatment `second_best`"):
        validate(GOOD | {"hypotheses": [claim | {"outcome": "regret"}]})


@pytest.mark.slow
def test_the_rule_is_the_bound_on_average_and_for_one_pair_only():
    auction = DoubleAuction(costs=dcg.Uniform(0.2, 0.8))
    types = jax.vmap(auction.sample_types)(jax.random.split(jax.random.key(3), 4000))
    drawn = np.asarray(second_best_rule(auction)(types))
    error = drawn.std() / np.sqrt(len(drawn))
    assert abs(drawn.mean() - float(second_best(auction.values, auction.costs).surplus)) < ERRORS * error
    assert second_best_rule(DoubleAuction(buyers=2)) is None
    assert second_best_rule(CurveMarket(curvature=np.ones(3))) is None
