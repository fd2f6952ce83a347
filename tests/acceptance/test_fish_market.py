"""The main study, short: what theory fixes is checked to the end, what is learned is checked to be labelled honestly."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import dcg_econ as dcg
from dcg_econ.analysis import fulton_demand
from dcg_econ.experiments import fulton, load, theory
from dcg_econ.experiments.report import material_of
from dcg_econ.experiments.results import Results
from dcg_econ.experiments.scene import draw
from dcg_econ.experiments.specification import Training
from dcg_econ.experiments.store import Store
from dcg_econ.experiments.study import Study
from dcg_econ.mechanisms import CurveMarket


@pytest.fixture(scope="module")
def specification():
    full = load("fish_market")
    return full.model_copy(
        update={"sessions": 2, "training": Training(steps=20, batch=16, knots=4, width=8, records=2)}
    )


@pytest.fixture(scope="module")
def study(specification, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theory, "BUYERS", (5,))  # each number of buyers is a compilation
        study = Study.of(specification, tmp_path_factory.mktemp("fish") / "out")
        study.run(quiet=True)
    return study


@pytest.fixture(scope="module")
def results(study):
    """Frames by name."""
    found = Results(Store(study.folder))
    names = ("robustness", "estimation", "sensitivities", "demand_curves", "schedules", "history")
    return {name: pd.concat(found.frames(name)) for name in names} | {"panel": found.panel(), "cells": found.status()}


def test_the_panel_has_a_row_for_every_session_day_and_player(results, specification):
    frame = results["panel"]
    assert len(frame) == 5 * 2 * 97 * 7
    assert frame["session"].dtype.kind == "i" and frame["round"].dtype.kind == "i"
    for treatment in specification.treatments:
        column = frame[f"treat_{treatment.name}"]
        assert column.dtype == float and set(column.unique()) == {0.0, 1.0}
    assert set(frame.columns) <= set(frame.attrs["variable_labels"])


def test_competition_reproduces_the_data_on_average(results):
    # On each day mean values put the competitive price at the observed one; private values only scatter it.
    frame, data = results["panel"], fulton.fulton_data()
    days = frame[frame["treatment"] == "competitive"].drop_duplicates(["session", "round"])
    np.testing.assert_allclose(days["price"], days["competitive_price"], rtol=1e-9)
    ratio = days["price"].to_numpy() / np.tile(data["avgprc"], 2)
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(len(ratio))
    np.testing.assert_allclose(days["supply"], np.tile(data["totqty"], 2))
    np.testing.assert_allclose(days["welfare"], days["first_best"], rtol=1e-9)


def test_money_and_fish_are_conserved(results):
    frame = results["panel"]
    keys = ["treatment", "session", "round"]
    total = frame.groupby(keys).agg(payoff=("payoff", "sum"), fish=("quantity", "sum"), welfare=("welfare", "first"))
    np.testing.assert_allclose(total["payoff"], total["welfare"], rtol=1e-9)
    np.testing.assert_allclose(total["fish"], 0, atol=1e-6)


def test_treatments_face_the_same_values(results):
    frame = results["panel"].query("role == 'buyer'")
    wide = frame.pivot(index=["session", "round", "participant"], columns="treatment", values="type_value")
    assert np.ptp(wide.to_numpy(), axis=1).max() == 0
    assert (frame["nash_welfare"] <= frame["first_best"] + 1e-9).all()


def test_unfinished_learning_is_called_unconverged(results):
    frame, cells = results["panel"], results["cells"].set_index("cell")
    learned = frame[frame["treatment"].str.startswith("learned")]
    assert not learned["converged"].any() and (learned["regret"] > 1e-5).all()
    assert (
        cells.loc["learned_schedules", "unconverged"] == 2
        and "regret above" in cells.loc["learned_schedules", "warnings"]
    )
    assert frame.loc[frame["treatment"] == "nash_schedules", "converged"].all()


def test_a_day_in_dollars_is_the_normalised_day_scaled(specification):
    estimate = fulton_demand(fulton.fulton_data()).elasticity
    c = fulton.calibrate(estimate, specification.calibration)
    price, catch = 0.6, 5000.0
    slope = abs(estimate) * catch / price
    dollars = CurveMarket(
        curvature=jnp.full(5, 5 / (0.5 * slope)),
        values=dcg.Uniform((c.choke_price - 0.2) * price, (c.choke_price + 0.2) * price),
        supply=catch,
        outside_slope=0.5 * slope,
        outside_price=price + catch / slope,
    )
    ours, theirs = dcg.solve(fulton.schedule_market(c)), dcg.solve(dollars)
    assert float(theirs.efficiency) == pytest.approx(float(ours.efficiency), abs=1e-10)
    assert float(theirs.welfare) == pytest.approx(float(ours.welfare) * price * catch, rel=1e-9)
    np.testing.assert_allclose(theirs.strategies.slope, ours.strategies.slope * catch / price, rtol=1e-9)


def test_values_of_a_session_do_not_depend_on_how_many_there_are(specification):
    market = fulton.schedule_market(fulton.calibrate(-0.8, specification.calibration))
    few, many = (draw(market, s, 4, jax.random.key(0)).values for s in (2, 5))
    np.testing.assert_array_equal(few, many[:2])


def test_estimation_error_is_the_delta_method(specification):
    frame = theory.estimation_error(-0.8, 0.3, specification.calibration)
    h = 1e-4
    values = [
        theory.nash_outcomes(fulton.schedule_market(fulton.calibrate(e, specification.calibration)))
        for e in (-0.8 + h, -0.8 - h)
    ]
    central = np.abs(np.asarray(values[0] - values[1])) / (2 * h) * 0.3
    np.testing.assert_allclose(frame["se"][:2], central, rtol=1e-6)


def test_robustness_contains_the_main_case(results, specification):
    row = results["robustness"].query("report == 'schedule' and buyers == 5 and fringe_share == 0.5").iloc[0]
    main = results["estimation"].set_index(["report", "outcome"])["value"]
    assert row["markdown"] == pytest.approx(main["schedule", "markdown"])
    shares = results["robustness"].query("report == 'schedule'").sort_values("fringe_share")
    assert (np.diff(shares["markdown"]) < 0).all()  # a larger fringe, more competition


def test_the_report_has_everything_the_study_found(study):
    material = material_of(Results(Store(study.folder)))
    for field in ("demand", "demand_points", "demand_curves", "schedules", "history", "calibration", "sensitivities"):
        assert getattr(material, field) is not None, field
    assert material.settings["tolerances.regret"] == "1e-06" and material.notes
    assert np.isfinite(material.schedules["occurs_low"]).all()
    assert study.report().read_text().count("<figure") >= 5
