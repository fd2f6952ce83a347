import equinox as eqx
import jax
import pytest

from dcg_econ.experiments import observe
from dcg_econ.experiments.codec import build, describe
from dcg_econ.experiments.learners import learner
from dcg_econ.experiments.plan import settings
from dcg_econ.experiments.specification import SpecificationError, Training
from dcg_econ.mechanism import AbstractMechanism
from dcg_econ.mechanisms.bargaining import HonestSeller

TABLE = {"kind": "curve_bargaining", "commitment": {"kind": "honest_seller"}}


def test_a_commitment_is_named_in_a_table_and_described_again():
    mechanism = build(TABLE, AbstractMechanism, "mechanism")
    assert isinstance(mechanism.commitment, HonestSeller)
    assert describe(mechanism)["commitment"] == {"kind": "honest_seller"}


@pytest.mark.slow
def test_buyer_and_seller_have_rows_and_nets_of_their_own():
    mechanism = build(TABLE, AbstractMechanism, "mechanism")
    people = observe.participants(mechanism)
    assert people.names == people.roles == ("buyer", "seller")
    fringed = build(TABLE | {"outside_slope": 0.5}, AbstractMechanism, "mechanism")
    assert observe.participants(fringed).strategic == (True, True, False)
    population = learner(mechanism, Training(steps=1))(jax.random.key(0))
    types = mechanism.sample_types(jax.random.key(1))

    @eqx.filter_jit
    def columns_of(population):
        reports = mechanism.reports(population, types)
        return observe.observe(mechanism, types, reports, mechanism.outcome(reports))

    columns = columns_of(population)
    assert abs(float(columns["quantity"][:2].sum())) < 1e-8  # what one buys the other sells


def test_a_table_in_the_grid_that_sets_nothing_is_refused():
    for empty in ({}, {"label": "nothing"}):
        with pytest.raises(SpecificationError, match=r"grid.supply: a table that sets nothing"):
            settings({"supply": empty})
