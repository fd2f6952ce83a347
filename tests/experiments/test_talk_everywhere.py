"""Talk comes before every mechanism that has learners."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.experiments.specification import SpecificationError, Training
from dcg_econ.experiments.talkers import learning_form, players_for
from dcg_econ.mechanisms import (
    AlternatingOffers,
    ClarkePivot,
    CurveBargaining,
    CurveMarket,
    DoubleAuction,
    GrovesLedyard,
    InterceptReports,
    PlannedNegotiation,
    QuantityMarket,
    SerialCostSharing,
    VoluntaryContribution,
    Walker,
    public_goods,
)

TRAINING = Training(width=4, knots=5, softness=0.05)
PREFERENCES = public_goods.QuadraticPreferences(dcg.Uniform(4, 8), 0.5, players=3)
MARKET = CurveMarket(curvature=jnp.ones(3), outside_slope=0.5)
OTHERS = (
    QuantityMarket(curvature=jnp.ones(2), outside_slope=0.5),
    DoubleAuction(),
    CurveBargaining(),
    PlannedNegotiation(deadline=3),
    VoluntaryContribution(PREFERENCES, endowment=10.0, cost=5.0),
    GrovesLedyard(PREFERENCES, gamma=20.0, cost=5.0),
    Walker(PREFERENCES, cost=5.0),
    ClarkePivot(PREFERENCES, cost=5.0),
    SerialCostSharing(PREFERENCES, cost=5.0),
    InterceptReports(ClarkePivot(PREFERENCES, cost=5.0)),
)
CHAT = dcg.Protocol(dcg.Chat(3, 2, price=0.01, length_price=0.01), turns=2)
PRIVATE = dcg.Protocol(dcg.Codes(4, 2), private=True)


def after_two_steps(mechanism, protocol, **settings):
    run = dcg.train(
        learning_form(mechanism, protocol, TRAINING),
        players_for(mechanism, protocol, TRAINING),
        protocol,
        steps=2,
        batch=8,
        records=1,
        record_draws=16,
        key=jax.random.key(0),
        **settings,
    )
    start = players_for(mechanism, protocol, TRAINING)(jax.random.fold_in(jax.random.key(0), 0))
    return run, start


@pytest.mark.slow
@pytest.mark.parametrize("protocol", (CHAT, PRIVATE), ids=("chat", "codes"))
def test_traders_talk(protocol):
    run, start = after_two_steps(MARKET, protocol)
    assert np.all(np.isfinite(run.efficiency)) and np.all(run.failed == 0) and np.all(run.nats[:, -1] > 0)
    before, after = (jax.tree.leaves(p.speakers) for p in (start, run.session(0)))
    assert any(not np.array_equal(x, y) for x, y in zip(before, after, strict=True) if hasattr(x, "shape"))


@pytest.mark.slow
@pytest.mark.parametrize("mechanism", OTHERS, ids=lambda m: type(m).__name__)
def test_talk_before_every_mechanism(mechanism):
    run, start = after_two_steps(mechanism, CHAT)
    assert np.all(np.isfinite(run.soft[:, -1])) and np.all(run.nats[:, -1] > 0)
    before, after = (jax.tree.leaves(p.speakers) for p in (start, run.session(0)))
    assert any(not np.array_equal(x, y) for x, y in zip(before, after, strict=True) if hasattr(x, "shape"))


def test_who_has_no_learners_does_not_talk():
    with pytest.raises((SpecificationError, dcg.InputError), match="no learned players"):
        players_for(AlternatingOffers(delta=[0.9, 0.8]), CHAT, TRAINING)(jax.random.key(0))
