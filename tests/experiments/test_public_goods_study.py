"""Public goods in the lab: tables of preferences, nets for every institution, a panel that adds up."""

import equinox as eqx
import jax
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.experiments import load, observe
from dcg_econ.experiments.codec import build, describe
from dcg_econ.experiments.learners import learner
from dcg_econ.experiments.specification import SpecificationError, Training
from dcg_econ.mechanism import AbstractMechanism
from dcg_econ.mechanisms import ClarkePivot, VoluntaryContribution, public_goods

ROUNDING = 1e-9
PREFERENCES = {
    "kind": "quadratic_preferences",
    "intercept": {"kind": "uniform", "low": 5, "high": 7},
    "curvature": 0.5,
    "players": 5,
}


def table(kind, **more):
    return {
        "kind": kind,
        "preferences": PREFERENCES,
        "endowment": 10,
        "cost": {"kind": "quadratic_cost", "price": 5},
        **more,
    }


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    preferences = public_goods.QuadraticPreferences(dcg.Uniform(5.0, 7.0), 0.5, players=5)
    study = dcg.Study(
        mechanism=VoluntaryContribution(preferences, 10.0, 5.0),
        treatments={
            "voluntary_nash": dcg.Treatment(conduct="nash"),
            "clarke_nash": dcg.Treatment(mechanism=ClarkePivot(preferences, 5.0, 10.0), conduct="nash"),
        },
        sessions=2,
        rounds=20,
        seed=1,
    )
    return study.run(tmp_path_factory.mktemp("goods") / "out", quiet=True)


def test_a_round_in_the_panel_adds_up(panel):
    rounds = panel.groupby(["treatment", "session", "round"])
    first = rounds.first()
    np.testing.assert_allclose(rounds["payoff"].sum() + first["budget_surplus"], first["welfare"], atol=ROUNDING)
    np.testing.assert_allclose(rounds["tax"].sum() - 5 * first["level"], first["budget_surplus"], atol=ROUNDING)
    value = panel["type_intercept"] * panel["level"] - panel["type_curvature"] * panel["level"] ** 2
    np.testing.assert_allclose(panel["payoff"], 10 + value - panel["tax"], atol=ROUNDING)
    np.testing.assert_allclose(panel["gain"], panel["payoff"] - 10, atol=ROUNDING)


def test_benchmarks_stand_on_the_same_draws(panel):
    same = panel.pivot(index=["session", "round", "participant"], columns="treatment", values="type_intercept")
    np.testing.assert_array_equal(same["voluntary_nash"], same["clarke_nash"])
    total = panel.groupby(["treatment", "session", "round"])["type_intercept"].transform("sum")
    level = (total - 5) / 5  # the sum of willingness to pay is total - 5 Y
    np.testing.assert_allclose(panel["first_best"], 50 + total * level - 2.5 * level**2 - 5 * level, atol=ROUNDING)
    np.testing.assert_allclose(panel["lindahl_welfare"], panel["first_best"], atol=ROUNDING)
    own = panel[panel["treatment"] == "voluntary_nash"]
    np.testing.assert_allclose(own["nash_welfare"], own["welfare"], atol=ROUNDING)
    assert (own["welfare"] < own["first_best"]).all()
    truth = panel[panel["treatment"] == "clarke_nash"]
    np.testing.assert_allclose(truth["welfare"], truth["first_best"], atol=ROUNDING)


def test_reports_are_contributions_or_willingness_at_the_level(panel):
    voluntary, clarke = (panel[panel["treatment"] == name] for name in ("voluntary_nash", "clarke_nash"))
    np.testing.assert_allclose(voluntary["report"], voluntary["tax"], atol=ROUNDING)
    sums = clarke.groupby(["session", "round"])["report"].sum()
    np.testing.assert_allclose(sums, 5.0, atol=1e-6)  # reports meet marginal cost at the level, to the solver's step
    assert "Taxes less cost" in panel.attrs["variable_labels"]["budget_surplus"]


@pytest.mark.parametrize(
    "kind", ["voluntary_contribution", "groves_ledyard", pytest.param("lindahl", marks=pytest.mark.slow)]
)
def test_an_institution_is_built_from_a_table_and_has_nets(kind):
    mechanism = build(table(kind), AbstractMechanism, "mechanism")
    assert build(describe(mechanism), AbstractMechanism, "mechanism").cost.price == 5
    population = learner(mechanism, Training(steps=1, knots=8, width=4))(jax.random.key(0))
    types = mechanism.sample_types(jax.random.key(1))
    reports = jax.jit(lambda t: mechanism.reports(population, t))(types)
    outcome = eqx.filter_jit(mechanism.provide)(reports)
    assert bool(outcome.found) and float(outcome.built) > 0
    columns = observe.observe(mechanism, types, reports, outcome)
    assert set(columns) <= {"payoff", *observe.columns(mechanism)}


def test_nets_are_refused_where_they_cannot_learn():
    jumps = {"kind": "provision_point", "threshold": 90, "endowment": 50}
    jumps["preferences"] = {"kind": "linear_preferences", "mpcr": [40, 50, 60]}
    unequal = table("voluntary_contribution") | {"endowment": [10, 10, 10, 10, 20]}
    for settings, said in (
        (jumps, "no learned players for provision_point"),
        (unequal, "mechanism.endowment.*one number"),
    ):
        with pytest.raises(SpecificationError, match=said):
            learner(build(settings, AbstractMechanism, "mechanism"), Training(steps=1))


def test_the_catalogue_has_the_study():
    study = load("public_goods")
    kinds = {t.mechanism for t in study.treatments}
    assert {None, "groves_ledyard", "walker", "lindahl", "clarke_pivot", "serial_cost_sharing"} == kinds
