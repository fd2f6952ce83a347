"""The continuum of equilibria of double-blind bargaining, with the regret of each; prints what it measures."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

import dcg_econ as dcg
from dcg_econ.mechanisms.bargaining.double_auction import DoubleAuction
from dcg_econ.mechanisms.bargaining.second_best import second_best
from dcg_econ.mechanisms.bargaining.smooth import smooth_bids
from dcg_econ.mechanisms.bargaining.steps import step_bids

REGRET = 1e-8  # of first best, what `solve` accepts
BEST = 1e-6  # between the best of the smooth family and Myerson and Satterthwaite's bound
LOSS = 2e-4  # the losses are quoted to four digits
STEPS = 1e-12  # payoffs against step functions are sums of a few products


def auction(k):
    return DoubleAuction(k=k, values=dcg.Beta(2.0, 3.0), costs=dcg.Beta(3.0, 2.0))


def solved(game, markup, degrees=(128, 256)):
    """The equilibrium at such a mark-up, at the first degree that brings its regret below the tolerance."""
    for degree in degrees:
        eq = dcg.solve(game, smooth_bids(game, markup, degree=degree), tolerance=jnp.inf)
        if float(eq.regret) <= REGRET:
            break
    return eq, degree


def show(name, eq, degree):
    print(
        f"{name}: surplus {float(eq.welfare):.8f}, efficiency {float(eq.efficiency):.6f}, regret {float(eq.regret):.1e} "
        f"(largest gain {float(eq.largest_gain):.1e}), degree {degree}"
    )


def surplus(game, markup):
    """The surplus on the shot path, without solving for it and without regret: what the search over mark-ups tries."""
    try:
        return float(expected(game, smooth_bids(game, jnp.asarray(markup), degree=128)))
    except (dcg.EquilibriumError, dcg.InputError):
        return 0.0


@eqx.filter_jit
def expected(game, profile):
    return game.expectations(profile)[1]


@pytest.fixture(scope="module")
def bound():
    return float(second_best(dcg.Beta(2.0, 3.0), dcg.Beta(3.0, 2.0)).surplus)


def test_the_family_of_beta_types(bound):
    game, found = auction(0.5), []
    print()
    for markup in (0.03, 0.05, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3):
        try:
            eq, degree = solved(game, markup)
        except dcg.EquilibriumError as error:
            print(f"k = .5, mark-up {markup}: {error}")
            continue
        show(f"k = .5, mark-up {markup}", eq, degree)
        assert float(eq.welfare) < bound
        found.append((float(eq.welfare), float(eq.regret)))
    assert len(found) >= 5 and sum(epsilon <= REGRET for _, epsilon in found) >= 4
    low, high = min(found)[0], max(found)[0]
    assert low < 0.030 and high > 0.0345


@pytest.mark.parametrize("k", [0.5, 0.3])
def test_the_best_of_the_family_comes_near_the_second_best(k, bound):
    game = auction(k)
    if k == 0.5:  # the types are mirror images: the best mark-up is the same for both sides
        best = optimize.minimize_scalar(
            lambda x: -surplus(game, x), bounds=(0.05, 0.2), method="bounded", options={"xatol": 1e-5}
        )
        markup = np.full(2, best.x)
    else:
        best = optimize.minimize(
            lambda x: -surplus(game, x), [0.07, 0.12], method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-10}
        )
        markup = best.x
    eq, degree = solved(game, jnp.asarray(markup))
    short = bound - float(eq.welfare)
    print(f"\nmark-ups {np.round(markup, 5)} after {best.nfev} paths; bound {bound:.8f}, short of it {short:.1e}")
    show(f"k = {k}, best", eq, degree)
    assert float(eq.regret) <= REGRET and short > -BEST
    assert short < (BEST if k == 0.5 else 1e-3)


def test_losses_fall_with_the_square_of_the_number_of_traders():
    sizes, losses = (2, 4, 8), []
    print()
    for m, markup, loss in zip(sizes, (0.1, 0.05, 0.028), (0.0565, 0.0153, 0.0039), strict=True):
        eq, degree = solved(DoubleAuction(buyers=m, sellers=m), markup, (128, 192))
        show(f"m = n = {m}, mark-up {markup}", eq, degree)
        losses.append(1 - float(eq.efficiency))
        assert losses[-1] == pytest.approx(loss, abs=LOSS) and float(eq.regret) <= REGRET
    exponent = np.polyfit(np.log(sizes), np.log(losses), 1)[0]
    print(f"losses {np.round(losses, 6)}, exponent {exponent:.3f}")
    assert -2.3 < exponent < -1.6


@pytest.mark.parametrize("prices", [[0.5], [1 / 3, 2 / 3], [0.45, 0.55], list(np.linspace(0.25, 0.75, 21))])
def test_step_functions(prices):
    game = DoubleAuction()
    steps = step_bids(game, jnp.array(prices))
    found, welfare = dcg.regret(game, steps), float(game.expectations(steps)[1])
    print(f"\n{len(prices)} prices {np.round(prices, 3)}: surplus {welfare:.8f} (9/64 = {9 / 64:.8f}), {found}")
    assert float(found) <= STEPS and float(found.largest_gain) <= STEPS and 1 / 8 - STEPS <= welfare < 9 / 64


def test_step_functions_between_beta_types(bound):
    game = auction(0.4)
    steps = step_bids(game, jnp.array([0.35, 0.5, 0.65]))
    found, welfare = dcg.regret(game, steps), float(game.expectations(steps)[1])
    print(f"\nthree prices, beta types, k = .4: surplus {welfare:.8f}, {found}")
    assert float(found) <= STEPS and welfare < bound
