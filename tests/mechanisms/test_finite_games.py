import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import dcg_econ as dcg
from dcg_econ._errors import EquilibriumError, InputError
from dcg_econ.learning.lookahead import ascend, own_directions
from dcg_econ.mechanisms.finite_games import (
    IteratedGame,
    MatrixGame,
    NormalForm,
    Tables,
    TandemGame,
    action_payoffs,
    asymmetric_matching_pennies,
    best_reply_gains,
    chicken,
    expected_payoffs,
    exploitability,
    fit_lam,
    is_pure_equilibrium,
    matching_pennies,
    nash,
    payoffs_of,
    prisoners_dilemma,
    quantal_path,
    quantal_response,
    stag_hunt,
)

EXACT = 1e-10
CLOSED = 1e-12
OCHS = NormalForm(asymmetric_matching_pennies())
COUNTS = 128 * np.array([0.527, 0.473]), 128 * np.array([0.366, 0.634])
THREE = NormalForm([[[3, 0, 5], [1, 4, 2], [2, 3, 1]], [[1, 4, 0], [3, 2, 5], [2, 1, 3]]])
# Its principal branch turns back at lam = 3.46863 (pygambit 17.0.0b2, logit_solve_branch).
FOLDED = NormalForm([[[-2, 3, -2], [3, -1, 3], [-1, 2, 1]], [[1, 2, 1], [2, 3, 1], [1, -1, -3]]])
LAMS = jnp.array([0.0, 0.5, 1.84561, 3.4, 3.5, 20.0])
# pygambit 17.0.0b2, logit_solve_lambda: the probabilities of the row player's and of the column player's actions.
GAMBIT = [
    (OCHS, 0.5, [0.549653975487397, 0.450346024512603, 0.4861736722984297, 0.5138263277015704]),
    (OCHS, 1.84561, [0.6156513180421838, 0.38434868195781613, 0.3832909215340904, 0.6167090784659097]),
    (OCHS, 20.0, [0.5304998172482878, 0.46950018275171235, 0.20437135306867224, 0.7956286469313277]),
    (THREE, 0.5, [0.38264712502, 0.34328599465, 0.27406688032, 0.27480826195, 0.35829901501, 0.36689272303]),
]


@pytest.fixture(scope="module")
def ochs():
    return quantal_path(OCHS, LAMS)


def test_payoffs_of_three_players_by_enumeration():
    rng = np.random.default_rng(0)
    game = NormalForm(rng.normal(size=(3, 2, 3, 4)))
    profile = tuple(jnp.asarray(rng.dirichlet(np.ones(n))) for n in game.actions)
    by_hand = np.zeros(3)
    for cell in itertools.product(*(range(n) for n in game.actions)):
        chance = np.prod([profile[i][a] for i, a in enumerate(cell)])
        by_hand += chance * np.asarray(game.payoffs[(slice(None), *cell)])
    np.testing.assert_allclose(expected_payoffs(game, profile), by_hand, atol=CLOSED)
    best = [float(jnp.max(u)) for u in action_payoffs(game, profile)]
    np.testing.assert_allclose(best_reply_gains(game, profile), best - by_hand, atol=CLOSED)
    np.testing.assert_allclose(exploitability(game, profile), np.mean(best - by_hand), atol=CLOSED)


def test_the_classics_have_the_equilibria_they_are_known_for():
    known = {
        prisoners_dilemma: ([0.0], [0.0]),
        stag_hunt: ([1.0, 2 / 3, 0.0], [1.0, 2 / 3, 0.0]),
        chicken: ([1.0, 0.9, 0.0], [0.0, 0.9, 1.0]),
        matching_pennies: ([0.5], [0.5]),
        asymmetric_matching_pennies: ([0.5], [0.2785 / 1.3926]),
    }
    for make, (rows, columns) in known.items():
        game = NormalForm(make())
        found = nash(game)
        assert not found.degenerate
        np.testing.assert_allclose(found.rows[:, 0], rows, atol=CLOSED)
        np.testing.assert_allclose(found.columns[:, 0], columns, atol=CLOSED)
        pure = jnp.all((found.rows == 0) | (found.rows == 1), axis=1)
        assert int(jnp.sum(is_pure_equilibrium(game))) == int(jnp.sum(pure))


def test_random_games_have_an_odd_number_of_equilibria_and_nobody_gains():
    rng = np.random.default_rng(1)
    for _ in range(20):
        game = NormalForm(100 * rng.normal(size=(2, 4, 3)) + 7)
        found = nash(game)
        assert not found.degenerate and len(found.rows) % 2 == 1
        first, second = np.asarray(game.payoffs)
        rows, columns = np.asarray(found.rows), np.asarray(found.columns)
        best = np.max(columns @ first.T, axis=1), np.max(rows @ second, axis=1)
        assert np.max(np.stack(best, axis=1) - found.payoffs) < 1e-9 * 1000  # the tolerance, times the span of payoffs
        assert int(jnp.sum(is_pure_equilibrium(game))) == int(jnp.sum(jnp.max(found.rows, axis=1) > 1 - 1e-9))


def test_a_degenerate_game_says_so_and_gives_the_ends_of_its_segments():
    # By hand, and by pygambit's enummixed_solve: the row player is indifferent against the first column.
    found = nash(NormalForm([[[1, 0], [1, 2]], [[2, 1], [0, 0]]]))
    assert found.degenerate
    ends = np.concatenate([found.rows, found.columns], axis=1)
    np.testing.assert_allclose(ends, [[1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]], atol=CLOSED)
    assert nash(NormalForm(np.zeros((2, 2, 2)))).degenerate


def test_quantal_responses_are_logits_of_payoff_differences(ochs):
    assert bool(jnp.all(ochs.found)) and not bool(jnp.any(ochs.turned))
    for k, lam in enumerate(LAMS):
        profile = tuple(p[k] for p in ochs.profiles)
        for mixed, payoffs in zip(profile, action_payoffs(OCHS, profile), strict=True):
            np.testing.assert_allclose(jnp.log(mixed[0] / mixed[1]), lam * (payoffs[0] - payoffs[1]), atol=EXACT)
    np.testing.assert_array_equal(ochs.profiles[0][0], [0.5, 0.5])


def test_a_dominant_action_has_a_closed_form():
    path = quantal_path(NormalForm(prisoners_dilemma()), LAMS)  # defecting pays one more, whatever the other does
    p = 1 / (1 + np.exp(LAMS))
    np.testing.assert_allclose(path.profiles[0][:, 0], p, rtol=EXACT)
    np.testing.assert_allclose(path.slopes[1][:, 0], -p * (1 - p), rtol=EXACT)


def test_slopes_are_those_of_finite_differences(ochs):
    step = 1e-5
    for way in (0, 1):
        up, down = (quantal_path(OCHS, jnp.maximum(LAMS + s, 0)) for s in (step, -step))
        difference = (up.profiles[way] - down.profiles[way]) / (2 * step)
        np.testing.assert_allclose(ochs.slopes[way][1:], difference[1:], atol=1e-9)  # step^2 times third derivatives


@pytest.mark.slow
def test_derivatives_in_payoffs_are_those_of_finite_differences(ochs):
    step = 1e-5

    def first(payoffs, lam):
        return quantal_response(NormalForm(payoffs), lam).profile[0][0]

    lam, direction = jnp.array(1.84561), jnp.asarray(np.random.default_rng(2).normal(size=(2, 2, 2)))
    by_payoffs, by_lam = jax.grad(first, argnums=(0, 1))(OCHS.payoffs, lam)
    up, down = (first(OCHS.payoffs + s * direction, lam) for s in (step, -step))
    np.testing.assert_allclose(jnp.sum(by_payoffs * direction), (up - down) / (2 * step), atol=1e-9)
    np.testing.assert_allclose(by_lam, ochs.slopes[0][2, 0], atol=EXACT)


def test_the_branch_that_gambit_follows():
    for game, lam, theirs in GAMBIT:
        ours = jnp.concatenate(quantal_path(game, jnp.full_like(LAMS, lam)).profiles, axis=1)[0]
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.slow
def test_gambit_itself():
    gambit = pytest.importorskip("pygambit")
    make = getattr(gambit, "StrategicGame", gambit.Game).from_arrays
    for game, lam in itertools.product((OCHS, THREE, FOLDED), (0.7, 3.0)):
        theirs = make(*np.asarray(game.payoffs))
        (point,) = gambit.qre.logit_solve_lambda(theirs, lam=[lam])
        flat = [x[1] if isinstance(x, tuple) else x for player in theirs.players for x in point.profile[player]]
        ours = jnp.concatenate(quantal_response(game, lam).profile)
        np.testing.assert_allclose(ours, np.asarray(flat, float), atol=1e-6)


def test_where_the_branch_turns_back_it_says_so():
    path = quantal_path(FOLDED, LAMS)
    assert path.turned.tolist() == path.found.__invert__().tolist() == [False] * 4 + [True] * 2
    np.testing.assert_array_equal(jnp.isnan(path.profiles[0][:, 0]), ~path.found)
    with pytest.raises(EquilibriumError, match="give a profile `near` one"):
        quantal_response(FOLDED, 3.5)
    # Beyond it, by pygambit: the branch that comes back from the fold.
    beyond = [0.944027, 8e-06, 0.055965], [0.05036, 0.926636, 0.023004]
    near = tuple(jnp.asarray(p) / sum(p) for p in beyond)
    np.testing.assert_allclose(quantal_response(FOLDED, 3.5, near).profile[0], beyond[0], atol=1e-6)


def test_where_a_symmetric_branch_meets_others_it_goes_on_and_says_so():
    # p = sigmoid(lam (9 - 10 p)); the determinant 1 - (10 lam p (1 - p))^2 vanishes near lam = .49.
    lams = jnp.array([0.0, 0.3, 0.45, 0.47, 0.52, 5.0])
    path = quantal_path(NormalForm(chicken()), lams)
    p = path.profiles[0][:, 0]
    np.testing.assert_allclose(p, jax.nn.sigmoid(lams * (9 - 10 * p)), atol=CLOSED)
    assert path.turned.tolist() == (10 * lams * p * (1 - p) > 1).tolist() == [False] * 4 + [True] * 2
    assert bool(jnp.all(path.found))
    assert not bool(quantal_response(NormalForm(chicken()), 5.0).regular)
    aside = quantal_response(NormalForm(chicken()), 5.0, (jnp.array([0.999, 0.001]), jnp.array([0.001, 0.999])))
    assert bool(aside.regular) and float(aside.profile[0][0]) > 0.99


@pytest.mark.slow
def test_lanes_that_turn_carry_nan_and_harm_nobody():
    both = jnp.stack([FOLDED.payoffs, THREE.payoffs])
    found = jax.vmap(lambda payoffs: quantal_response(NormalForm(payoffs), 3.5))(both)
    assert found.found.tolist() == [False, True]
    assert bool(jnp.all(jnp.isnan(found.profile[0][0])))
    np.testing.assert_allclose(found.profile[0][1], quantal_response(THREE, 3.5).profile[0], atol=CLOSED)


def test_lam_of_ochs_subjects():
    found = fit_lam(OCHS, COUNTS)
    # McKelvey and Palfrey (1995), as in the documentation of pygambit: 1.84561, -174.765.
    np.testing.assert_allclose(found.lam, 1.84561, atol=5e-6)
    np.testing.assert_allclose(found.log_likelihood, -174.765, atol=5e-4)
    assert bool(found.interior) and not bool(found.turned)

    def likelihood(lams):
        profiles = quantal_path(OCHS, lams).profiles
        return sum(jnp.log(p) @ c for p, c in zip(profiles, COUNTS, strict=True))

    step = 1e-3
    down, middle, up = likelihood(jnp.repeat(found.lam + step * jnp.array([-1.0, 0.0, 1.0]), 2))[::2]
    np.testing.assert_allclose(found.standard_error, (-(up - 2 * middle + down) / step**2) ** -0.5, rtol=1e-5)


def test_counts_that_no_lam_explains_best():
    game = NormalForm(prisoners_dilemma())
    uphill = fit_lam(game, (np.array([9.0, 1.0]), np.array([8.0, 2.0])))  # most do what pays less
    assert float(uphill.lam) == 0 and not bool(uphill.interior) and np.isnan(uphill.standard_error)
    never = fit_lam(
        game, (np.array([0.0, 10.0]), np.array([0.0, 10.0]))
    )  # always what pays more: the larger lam the better
    assert not bool(never.interior) and np.isnan(never.standard_error)
    inside = fit_lam(game, (np.array([10.0, 30.0]), np.array([5.0, 35.0])))  # ln(65 / 15), variance of a logit
    np.testing.assert_allclose(inside.lam, np.log(65 / 15), atol=1e-9)
    np.testing.assert_allclose(inside.standard_error, np.sqrt(1 / 15 + 1 / 65), rtol=1e-9)


def simulated(table, discount, chances, rounds=3000):
    """Discounted sums by going through the rounds."""
    row, column = chances[0], chances[1][[0, 1, 3, 2, 4]]
    pairs = np.stack([row * column, row * (1 - column), (1 - row) * column, (1 - row) * (1 - column)], axis=-1)
    at, total = pairs[0], np.zeros(2)
    for t in range(rounds):
        total += discount**t * np.asarray(table).reshape(2, 4) @ at
        at = at @ pairs[1:]
    return total


def test_discounted_sums_by_simulation():
    rng = np.random.default_rng(3)
    game = IteratedGame(rng.normal(size=(2, 2, 2)), 0.9)
    reports = jnp.asarray(rng.normal(size=(2, 5)))
    outcome = game.outcome(reports)
    theirs = simulated(game.table, 0.9, 1 / (1 + np.exp(-np.asarray(reports))))
    np.testing.assert_allclose(game.payoffs(0.0, outcome), theirs, atol=1e-11)
    np.testing.assert_allclose(jnp.sum(outcome.visits), 10.0, rtol=CLOSED)
    np.testing.assert_allclose(game.welfare(0.0, outcome), theirs.sum(), atol=1e-11)


def test_known_strategies_in_the_dilemma():
    game = IteratedGame(prisoners_dilemma())
    sure = 1000.0
    tit_for_tat = sure * np.array([1, 1, -1, 1, -1])
    cooperate, defect = np.full(5, sure), np.full(5, -sure)

    def a_round(*strategies):
        return game.per_round * payoffs_of(game)(tuple(jnp.asarray(s) for s in strategies))

    np.testing.assert_allclose(a_round(tit_for_tat, tit_for_tat), [-1, -1], atol=CLOSED)
    np.testing.assert_allclose(a_round(defect, defect), [-2, -2], atol=CLOSED)
    np.testing.assert_allclose(a_round(cooperate, defect), [-3, 0], atol=CLOSED)
    for first, second in ((tit_for_tat, defect), (defect, tit_for_tat)):  # caught once
        once = a_round(first, second)
        np.testing.assert_allclose(jnp.sort(once), [0.04 * -3 + 0.96 * -2, 0.96 * -2], atol=CLOSED)
        assert float(once[0 if first is tit_for_tat else 1]) < -2
    np.testing.assert_allclose(game.first_best(0.0) * game.per_round, -2.0, atol=CLOSED)


def test_the_trainer_climbs_the_exact_gradient():
    game, key = IteratedGame(prisoners_dilemma()), jax.random.key(5)
    run = dcg.train(
        game, lambda k: Tables(key=k), optimiser=optax.sgd(1.0), steps=30, records=1, batch=1, record_draws=1, key=key
    )
    start = Tables(key=jax.random.fold_in(key, 0))
    values = payoffs_of(game)
    end = ascend(lambda copies: own_directions(values, copies), tuple(start.rows), 1.0, 30)
    np.testing.assert_allclose(run.session(0).rows, jnp.stack(end), atol=EXACT)
    ratio = jnp.sum(values(end)) / game.first_best(0.0)
    np.testing.assert_allclose(run.efficiency[0, -1], ratio, rtol=EXACT)
    assert 1.5 < float(ratio) < 2.0  # they learn to defect


def test_games_that_are_played_once():
    pennies = MatrixGame(NormalForm(matching_pennies()))
    rows = jnp.log(jnp.array([[0.7, 0.3], [0.2, 0.8]]))
    np.testing.assert_allclose(payoffs_of(pennies)(tuple(rows)), [-0.24, 0.24], atol=CLOSED)
    ragged = MatrixGame(NormalForm(np.arange(12.0).reshape(2, 2, 3)))
    assert ragged.size == 3 and ragged.players == ("player 1", "player 2")
    np.testing.assert_allclose(payoffs_of(ragged)((jnp.zeros(3), jnp.zeros(3))), [2.5, 8.5], atol=CLOSED)
    assert float(ragged.first_best(0.0)) == 16.0
    tandem = TandemGame()
    np.testing.assert_allclose(payoffs_of(tandem)((jnp.array([0.3]), jnp.array([0.5]))), [-0.04, 0.36], atol=CLOSED)
    grid = jnp.stack([jnp.linspace(-1, 2, 301), jnp.zeros(301)], axis=1)
    best = jnp.max(jax.vmap(lambda xy: tandem.welfare(0.0, xy))(grid))
    np.testing.assert_allclose(best, tandem.first_best(0.0), atol=CLOSED)


def test_errors_name_the_field():
    even = (jnp.array([0.5, 0.5]), jnp.array([0.5, 0.5]))
    for field, call in (
        ("payoffs", lambda: NormalForm(np.zeros((3, 2, 2)))),
        ("payoffs", lambda: NormalForm([[[np.nan, 0], [0, 0]]] * 2)),
        ("profile", lambda: exploitability(OCHS, (even[0],))),
        ("profile", lambda: exploitability(OCHS, (2 * even[0], even[1]))),
        ("game", lambda: nash(NormalForm(np.zeros((3, 2, 2, 2))))),
        ("lam", lambda: quantal_response(OCHS, -0.1)),
        ("lam", lambda: quantal_response(OCHS, np.array([1.0, 2.0]))),
        ("lams", lambda: quantal_path(OCHS, np.array([0.0, -1.0]))),
        ("lams", lambda: quantal_path(OCHS, np.array([2.0, 1.0]))),
        ("counts", lambda: fit_lam(OCHS, (np.array([1.0, -1.0]), np.array([1.0, 1.0])))),
        ("counts", lambda: fit_lam(OCHS, (np.array([0.0, 0.0]), np.array([0.0, 0.0])))),
        ("counts", lambda: fit_lam(OCHS, (np.array([1.0, 1.0, 1.0]), np.array([1.0, 1.0])))),
        ("payoffs", lambda: fit_lam(NormalForm(np.ones((2, 2, 2))), COUNTS)),
        ("payoffs", lambda: IteratedGame(np.zeros((2, 2, 3)))),
        ("payoffs", lambda: IteratedGame(np.full((2, 2, 2), np.inf))),
        ("discount", lambda: IteratedGame(chicken(), 1.0)),
        ("discount", lambda: IteratedGame(chicken(), -0.1)),
        ("discount", lambda: IteratedGame(chicken(), [0.5, 0.6])),
        ("spread", lambda: Tables(key=jax.random.key(0), spread=0.0)),
        ("actions", lambda: payoffs_of(TandemGame())((jnp.zeros(5), jnp.zeros(5)))),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.field == field
