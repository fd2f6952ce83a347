"""Names and hashes of cells; the same study in TOML and in Python."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.experiments import SpecificationError, load
from dcg_econ.experiments.codec import build, canonical_text, describe, kind_of, short_text
from dcg_econ.experiments.plan import cells_of
from dcg_econ.experiments.specification import parse
from dcg_econ.mechanism import AbstractMechanism
from dcg_econ.mechanisms import CurveMarket, QuantityMarket
from tests.experiments.malformed import GOOD, toml


@pytest.mark.parametrize(
    "name, kind",
    [
        ("CurveMarket", "curve_market"),
        ("KDoubleAuction", "k_double_auction"),
        ("VCGPivot", "vcg_pivot"),
        ("Fixed", "fixed"),
    ],
)
def test_kinds_are_snake_case(name, kind):
    assert kind_of(type(name, (), {})) == kind


@pytest.mark.parametrize(
    "mechanism",
    [
        CurveMarket(jnp.ones(3)),
        CurveMarket([0.5, 1, 2], dcg.Normal(1 / 3, 0.1), supply=0.3, outside_slope=1, price_bounds=(-2.0, jnp.inf)),
        QuantityMarket(jnp.ones(4), values=dcg.Empirical([0.1, 0.2]), supply=dcg.Uniform(0, 1)),
    ],
)
def test_a_mechanism_survives_being_written(mechanism):
    table = describe(mechanism)
    again = build(table, AbstractMechanism, "mechanism")
    assert type(again) is type(mechanism)
    for a, b in zip(jax.tree.leaves(mechanism), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert canonical_text(describe(again)) == canonical_text(table)


def test_defaults_and_ways_of_writing_do_not_matter():
    short = build({"kind": "curve_market", "curvature": [1, 1]}, AbstractMechanism, "m")
    long = {
        "kind": "curve_market",
        "curvature": [1.0, 1],
        "supply": 0,
        "values": {"kind": "uniform", "low": -1, "high": 1.0},
    }
    assert canonical_text(describe(short)) == canonical_text(describe(build(long, AbstractMechanism, "m")))


def test_single_precision_is_written_as_typed():
    with jax.enable_x64(False):
        market = CurveMarket(jnp.array([0.1, 0.2]), outside_slope=0.3)
    table = describe(market)
    assert table["curvature"] == [0.1, 0.2] and table["outside_slope"] == 0.3


def test_what_cannot_be_written_is_named():
    class Ruled(eqx.Module):
        rule: object

    with pytest.raises(SpecificationError, match=r"mechanism.rule: a builtin_function_or_method cannot be written"):
        describe(Ruled(len), "mechanism")


@pytest.mark.parametrize(
    "value, text",
    [
        (0.5, "0.5"),
        (3, "3"),
        ([1, 1, 1], "3x1"),
        ([1, 2.5], "1_2.5"),
        ({"kind": "uniform", "low": 0, "high": 1}, "uniform_0_1"),
    ],
)
def test_values_in_names_are_short(value, text):
    assert short_text(value) == text


def test_cells_are_the_product_of_treatments_and_grid():
    cells = cells_of(parse(toml(GOOD)))
    names = [cell.name for cell in cells]
    assert len(names) == len(set(names)) == 2 * 2 * 2
    assert names[0] == "nash.outside_slope=0.5.high=1" and names[-1] == "learned.outside_slope=1.high=2"
    assert cells[-1].document["mechanism"]["values"] == {"kind": "uniform", "low": -1.0, "high": 2.0}
    assert cells[-1].document["training"]["knots"] == 5 and cells[0].document["training"]["knots"] == 12


def test_names_are_safe_for_every_file_system():
    tree = GOOD | {"grid": {"curvature": [[1.0 / 3] * 40, np.linspace(0.1, 2, 40).tolist()]}}
    for cell in cells_of(parse(toml(tree))):
        assert (
            set(cell.id) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._=+-")
            and len(cell.id) < 140
        )


def hashes(**changes):
    return [cell.hash for cell in cells_of(parse(toml(GOOD | changes)))]


def test_a_hash_follows_what_numbers_depend_on():
    first = hashes()
    assert len(set(first)) == len(first)
    assert hashes(title="Another title", question="?", hypotheses=[]) == first
    for change in ({"seed": 2}, {"sessions": 3}, {"rounds": 4}, {"precision": "float32"}, {"training": {"steps": 11}}):
        assert not set(first) & set(hashes(**change)), change


def test_a_new_version_is_a_new_cell(monkeypatch):
    first = hashes()
    monkeypatch.setattr(dcg, "__version__", "99.0")
    assert not set(first) & set(hashes())


def test_more_points_leave_the_old_cells_alone():
    wider = hashes(grid={"outside_slope": [0.5, 0.75, 1.0], "values.high": [1.0, 2.0]})
    assert set(hashes()) < set(wider)


def test_calibrated_cells_depend_on_the_data(monkeypatch):
    from dcg_econ.experiments import fulton

    first = cells_of(load("fish_market"))
    assert [cell.name for cell in first][:2] == ["theory", "competitive"]
    changed = fulton.fulton_data()
    changed.loc[0, "avgprc"] += 0.01
    monkeypatch.setattr(fulton, "fulton_data", lambda: changed)
    assert not {c.hash for c in first} & {c.hash for c in cells_of(load("fish_market"))}


def test_the_same_study_in_python():
    study = dcg.Study(
        mechanism=CurveMarket(jnp.ones(3), values=dcg.Uniform(-1.0, 1.0), outside_slope=0.5),
        treatments={"nash": "nash", "learned": dcg.Treatment(objective=dcg.Joint(), training={"knots": 5})},
        sessions=2,
        rounds=3,
        seed=1,
        steps=10,
        batch=4,
        regret_tolerance=1e-4,
        grid={"outside_slope": jnp.array([0.5, 1.0]), "values.high": [1.0, 2.0]},
    )
    assert {c.name: c.hash for c in study.cells} == {c.name: c.hash for c in cells_of(parse(toml(GOOD)))}


def test_a_treatment_may_be_its_protocol_strategy_or_objective():
    market = CurveMarket(jnp.ones(3))
    study = dcg.Study(market, {"talk": dcg.Silence(), "half": dcg.ProportionalDemand(0.25), "joint": dcg.Joint()})
    documents = {cell.name: cell.document for cell in study.cells}
    assert documents["talk"]["conduct"] == "learned" and documents["joint"]["objective"] == {"kind": "joint"}
    assert documents["half"]["conduct"] == {"kind": "proportional_demand", "slope": 0.25}


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"stpes": 3}, "training.stpes: unknown key; did you mean `steps`?"),
        ({"sessions": 0}, "sessions: got 0"),
        ({"treatments": ["nash"]}, "treatments: give a dict"),
        ({"treatments": {"Nash": "nash"}}, "treatments[0].name"),
        ({"treatments": {"nash": len}}, "treatments.nash: got builtin_function_or_method"),
        ({"mechanism": "curve_market"}, "mechanism: got str"),
        ({"grid": {"outside_slop": [1.0]}}, "did you mean `outside_slope`?"),
    ],
)
def test_a_bad_argument_is_named(arguments, expected):
    with pytest.raises(SpecificationError) as error:
        dcg.Study(**({"mechanism": CurveMarket(jnp.ones(3)), "treatments": {"nash": "nash"}} | arguments))
    assert expected in str(error.value)
