import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms.public_goods import (
    ConditionalCooperator,
    FixedShare,
    LinearPreferences,
    LogitContributor,
    Partners,
    PublicGoodsSession,
    Strangers,
    VoluntaryContribution,
)

EXACT = 1e-12  # sums and products in x64, of numbers up to 1000
ERRORS = 4  # standard errors of a mean of draws

KEY = jax.random.key(3)
# Six participants of three kinds, kinds apart and together.
MIXED = (
    ConditionalCooperator(share=0.8, own=0.3, start=0.6, noise=0.2),
    LogitContributor(precision=0.2),
    FixedShare(0.25),
    ConditionalCooperator(share=0.9, own=0.0, start=1.0, noise=0.1),
    LogitContributor(precision=0.2, altruism=0.5),
    FixedShare(1.0),
)
MATCHINGS = (Partners(), Strangers())
SESSIONS, ROUNDS, GROUPS, SIZE = 5, 6, 3, 2


def session(matching, rounds=ROUNDS, multiplier=1.5):
    return PublicGoodsSession(GROUPS, SIZE, rounds, endowment=10.0, multiplier=multiplier, matching=matching)


@pytest.fixture(scope="module")
def panels():
    return {m.treatment: session(m).simulate(MIXED, KEY, SESSIONS) for m in MATCHINGS}


def by_group(panel):
    return panel.groupby(["session", "round", "group"])


@pytest.mark.parametrize("treatment", ["partners", "strangers"])
def test_money_is_conserved_and_shared(panels, treatment):
    panel = panels[treatment]
    groups = by_group(panel)
    paid, given = groups["payoff"].sum(), groups["contribution"].sum()
    np.testing.assert_allclose(paid, SIZE * 10.0 + 0.5 * given, rtol=EXACT)
    assert panel["contribution"].between(0.0, 10.0).all()
    for column, of_group in (("group_total", given), ("welfare", paid), ("individual_share", 0.75 * given)):
        assert (groups[column].nunique() == 1).all()
        np.testing.assert_allclose(groups[column].first(), of_group, rtol=EXACT)
    np.testing.assert_allclose(panel["payoff"], 10.0 - panel["contribution"] + panel["individual_share"], rtol=EXACT)


@pytest.mark.parametrize("treatment", ["partners", "strangers"])
def test_everybody_is_in_one_group_of_the_size_each_round(panels, treatment):
    panel = panels[treatment]
    assert not panel.duplicated(["session", "round", "participant"]).any()
    assert len(panel) == SESSIONS * ROUNDS * GROUPS * SIZE
    assert (by_group(panel).size() == SIZE).all() and set(panel["group"]) == set(range(GROUPS))


def partners_met(panel):
    """With whom (session, participant) is in a group, round by round (T,)."""
    pairs = by_group(panel)["participant"].apply(tuple)
    met = {}
    for (number, period, _), (one, two) in pairs.items():
        met.setdefault((number, one), {})[period] = two
        met.setdefault((number, two), {})[period] = one
    return [[met[who][period] for period in range(ROUNDS)] for who in sorted(met)]


def test_partners_stay_and_strangers_change(panels):
    assert all(len(set(met)) == 1 for met in partners_met(panels["partners"]))
    assert (panels["partners"].groupby("participant")["group"].nunique() == 1).all()
    met = partners_met(panels["strangers"])
    # Of five others each is met with chance 1/5: the same one in all rounds of a session with chance 5^-5.
    assert all(len(set(row)) > 1 for row in met)
    again = np.mean([a == b for row in met for a, b in itertools.pairwise(row)])
    assert again == pytest.approx(0.2, abs=ERRORS * np.sqrt(0.16 / (SESSIONS * GROUPS * (ROUNDS - 1))))


@pytest.mark.parametrize("matching", MATCHINGS, ids=lambda m: m.treatment)
def test_a_session_depends_neither_on_the_others_nor_on_later_rounds(panels, matching):
    panel = panels[matching.treatment]
    few = session(matching, rounds=4).simulate(MIXED, KEY, 2)
    same = panel[(panel["session"] < 2) & (panel["round"] < 4)].reset_index(drop=True)
    pd.testing.assert_frame_equal(few, same, rtol=EXACT, atol=EXACT)
    other = panel[panel["session"] == 2].reset_index(drop=True)
    assert not np.allclose(other["contribution"][:6], same["contribution"][:6])


def test_what_a_participant_draws_does_not_depend_on_what_the_others_are(panels):
    alone = (FixedShare(0.0), *MIXED[1:])
    panel = session(Partners()).simulate(alone, KEY, SESSIONS)
    of = lambda frame: frame.loc[frame["participant"] == "player 5", "contribution"].to_numpy()  # noqa: E731
    np.testing.assert_array_equal(of(panel), of(panels["partners"]))


@pytest.mark.parametrize("share, multiplier", [(0.0, 1.5), (1.0, 1.5), (1.0, 2.5), (0.0, 0.7)])
def test_fixed_shares_earn_their_closed_form_and_the_theory_of_the_stage_game(share, multiplier):
    game = session(Strangers(), rounds=2, multiplier=multiplier)
    panel = game.simulate(FixedShare(share), KEY, 2)
    np.testing.assert_allclose(panel["payoff"], 10.0 * (1 - share + share * multiplier), rtol=EXACT)
    stage = VoluntaryContribution(LinearPreferences(multiplier / SIZE, players=SIZE), 10.0)
    given = jnp.full(SIZE, 10.0 if multiplier > SIZE else 0.0)
    types = stage.preferences.at(jnp.zeros(()))
    nash = stage.welfare(types, stage.provide(given))
    np.testing.assert_allclose(panel["nash_welfare"], float(nash), rtol=EXACT)
    np.testing.assert_allclose(panel["first_best"], float(stage.first_best(types)), rtol=EXACT)


@pytest.mark.slow
def test_the_nash_benchmark_is_the_equilibrium_of_the_stage_game():
    stage = VoluntaryContribution(LinearPreferences(jnp.full(SIZE, 0.75)), 10.0)
    eq = dcg.solve(stage)
    game = session(Partners())
    assert float(game.nash_welfare()) == pytest.approx(float(eq.welfare), rel=EXACT)
    assert float(game.first_best()) == pytest.approx(float(eq.first_best), rel=EXACT)


@pytest.mark.parametrize("matching", MATCHINGS, ids=lambda m: m.treatment)
def test_conditional_cooperators_give_less_by_their_share_every_round(matching):
    def panel_of(own):
        starts = (0.2, 0.9) * GROUPS
        people = [ConditionalCooperator(0.8, w, start, noise=0.0) for w, start in zip(own, starts, strict=True)]
        return session(matching).simulate(people, KEY, 2)

    panel = panel_of([0.5] * 6)
    totals = panel.groupby(["session", "round"])["contribution"].sum().unstack()
    np.testing.assert_allclose(totals, [10.0 * 3.3 * 0.8 ** np.arange(ROUNDS)] * 2, rtol=EXACT)
    panel = panel_of([0.0, 0.0, 0.5, 0.5, 1.0, 1.0])
    # Who remembers only itself gives its own past, who remembers only the group gives the group's.
    last = panel[panel["round"] == ROUNDS - 2].set_index(["session", "participant"])
    now = panel[panel["round"] == ROUNDS - 1].set_index(["session", "participant"])["contribution"]
    for name, remembered in (("player 1", last["group_total"] / SIZE), ("player 5", last["contribution"])):
        np.testing.assert_allclose(now.xs(name, level=1), 0.8 * remembered.xs(name, level=1), rtol=EXACT)


def test_noise_has_its_size_and_everybody_its_own():
    people = ConditionalCooperator(start=0.5, noise=0.05)  # ten standard deviations from the bounds
    panel = session(Partners(), rounds=1).simulate(people, KEY, 200)
    drawn = panel["contribution"].to_numpy().reshape(200, GROUPS * SIZE)
    assert abs(drawn.mean() - 5.0) <= ERRORS * 0.5 / np.sqrt(drawn.size)
    assert abs(drawn.std() - 0.5) <= ERRORS * 0.5 / np.sqrt(2 * drawn.size)
    between = np.corrcoef(drawn, rowvar=False)[np.triu_indices(GROUPS * SIZE, 1)]
    assert np.abs(between).max() <= ERRORS / np.sqrt(len(drawn))


def test_logit_contributions_have_their_mean_and_precision_brings_them_to_nash():
    kinds = (LogitContributor(0.3), LogitContributor(0.3, altruism=0.8), LogitContributor(50.0), LogitContributor(0.0))
    game = PublicGoodsSession(2, 2, 50, endowment=10.0, multiplier=1.5, matching=Strangers())
    panel = game.simulate(kinds, KEY, 40)
    choices = np.linspace(0, 10, 21)
    for i, (precision, altruism) in enumerate(((0.3, 0.0), (0.3, 0.8), (50.0, 0.0), (0.0, 0.0))):
        drawn = panel.loc[panel["participant"] == f"player {i + 1}", "contribution"].to_numpy()
        chances = np.exp(precision * (0.75 - 1 + altruism * 0.75) * choices)
        chances /= chances.sum()
        error = np.sqrt(chances @ choices**2 - (chances @ choices) ** 2) / np.sqrt(len(drawn))
        assert abs(drawn.mean() - chances @ choices) <= ERRORS * error
        assert np.isin(np.round(drawn, 12), choices).all()


def test_the_frame_has_the_columns_of_the_panel(panels):
    panel = panels["strangers"]
    integers, texts = ["session", "round", "group"], ["participant", "role", "mechanism", "treatment", "agent_type"]
    assert all(panel[name].dtype == np.int64 for name in integers)
    assert all(pd.api.types.is_string_dtype(panel[name]) for name in texts) and panel["converged"].dtype == bool
    rest = [name for name in panel if name not in (*integers, *texts, "converged")]
    assert all(panel[name].dtype == np.float64 for name in rest)
    assert set(rest) == {"contribution", "group_total", "individual_share", "payoff", "welfare", "first_best"} | {
        "nash_welfare",
        "bits",
        "regret",
    }
    assert list(panel.attrs["variable_labels"]) == list(panel) and all(panel.attrs["variable_labels"].values())
    assert panel[["bits", "regret"]].isna().all().all() and panel["converged"].all()
    assert set(panel["treatment"]) == {"strangers"} and set(panel["role"]) == {"player"}
    first = panel.iloc[: GROUPS * SIZE]
    assert list(first["participant"]) == [f"player {i + 1}" for i in range(6)]
    assert list(first["agent_type"]) == ["conditional_cooperator", "logit_contributor", "fixed_share"] * 2


@pytest.mark.slow
def test_payoffs_have_derivatives_in_the_swept_parameters():
    game = session(Partners(), rounds=3)

    def earned(multiplier, share):
        one = eqx.tree_at(lambda g: g.multiplier, game, multiplier)
        people = ConditionalCooperator(share=share, start=0.5, noise=0.0)
        return jnp.sum(one.payoffs(one.play(people, KEY)))

    slopes = jax.grad(earned, argnums=(0, 1))(jnp.asarray(1.5), jnp.asarray(0.8))
    # Six participants give 5 (1 + s + s^2) in all.
    np.testing.assert_allclose(slopes, (30 * (1 + 0.8 + 0.64), 0.5 * 30 * (1 + 1.6)), rtol=EXACT)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"groups": 0}, r"^groups: 0; give a whole number, 1 or more"),
        ({"size": 1}, r"^size: 1; give a whole number, 2 or more"),
        ({"rounds": 0}, r"^rounds: 0"),
        ({"endowment": 0.0}, r"^endowment: found 0"),
        ({"endowment": jnp.array([1.0, 2.0])}, r"^endowment: shape"),
        ({"multiplier": -1.0}, r"^multiplier: found -1"),
        ({"multiplier": 4.0}, r"^multiplier: 4 is the group's size, so that mpcr is 1"),
        ({"multiplier": 1.0}, r"^multiplier: 1, so that mpcr is 1/size"),
        ({"groups": 1, "matching": Strangers()}, r"^matching: strangers in a single group .* or Partners"),
    ],
)
def test_bad_fields_of_a_session_are_named(fields, message):
    with pytest.raises(dcg.InputError, match=message):
        PublicGoodsSession(**fields)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: FixedShare(1.2), r"^share: found 1.2; give a number between 0 and 1"),
        (lambda: FixedShare(jnp.array([0.0, 1.0])), r"^share: shape"),
        (lambda: ConditionalCooperator(share=-0.1), r"^share: found -0.1; give a number zero or more"),
        (lambda: ConditionalCooperator(own=2.0), r"^own: "),
        (lambda: ConditionalCooperator(start=-1.0), r"^start: "),
        (lambda: ConditionalCooperator(noise=-1.0), r"^noise: "),
        (lambda: LogitContributor(precision=-1.0), r"^precision: "),
        (lambda: LogitContributor(grid=1), r"^grid: 1; "),
        (
            lambda: session(Partners()).simulate(MIXED[:4], KEY),
            r"^behaviours: 4 for 6 participants: player 5, player 6",
        ),
        (lambda: session(Partners()).simulate(MIXED * 2, KEY), r"^behaviours: 12 for 6 participants; give 6"),
        (lambda: session(Partners()).simulate(MIXED, KEY, 0), r"^sessions: 0"),
    ],
)
def test_bad_behaviour_is_named(make, message):
    with pytest.raises(dcg.InputError, match=message):
        make()


def test_one_group_of_partners_is_a_session():
    alone = PublicGoodsSession(1, 6, ROUNDS, 10.0, 1.5).simulate(FixedShare(0.5), KEY)
    np.testing.assert_allclose(alone["group_total"], 30.0, rtol=EXACT)
