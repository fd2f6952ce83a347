import itertools

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats as stats

import dcg_econ as dcg
from dcg_econ._errors import InputError
from dcg_econ.experiments.codec import build, describe
from dcg_econ.priors import AbstractBoundedPrior, AbstractPrior

CDF = 1e-13  # promised of the cdf, in probability
QUANTILE = 1e-12  # promised of the quantile, in widths of the support
EXPECTATION = 1e-12  # promised of the quadrature, for smooth functions of size one
DENSITY = 1e-12  # both sides round the logarithm of a density of some hundreds
FIRST = 1e-6  # central differences of first order, steps of 1e-5
STANDARD_ERRORS = 5

POINTS = np.array([0.0, 0.3, 0.5, 1.0])
HEIGHTS = np.array([0.0, 2.0, 1.0, 0.5]) / np.trapezoid([0.0, 2.0, 1.0, 0.5], POINTS)


def beta(a, b, low=0.0, high=1.0):
    return dcg.Beta(a, b, low, high), stats.beta(a, b, low, high - low)


def truncated(loc, scale, low, high):
    return dcg.TruncatedNormal(loc, scale, low, high), stats.truncnorm(
        (low - loc) / scale, (high - loc) / scale, loc, scale
    )


BOUNDED = {
    "uniform": (dcg.Uniform(-1.0, 3.0), stats.uniform(-1, 4)),
    "beta": beta(2.0, 3.0),
    "flat beta": beta(1.0, 1.0),
    "fractional beta": beta(1.5, 1.0, -1.0, 3.0),
    "narrow beta": beta(300.0, 250.0),
    "lopsided beta": beta(50.0, 2.0),
    "middle": truncated(0.5, 0.2, 0.0, 1.0),
    "upper tail": truncated(0.0, 1.0, 3.0, 8.0),
    "lower tail": truncated(0.0, 1.0, -9.0, -6.0),
    "outside": truncated(5.0, 1.0, 0.0, 1.0),
    "tabulated": (dcg.Tabulated(POINTS, HEIGHTS), None),
}
SMOOTH = {name: BOUNDED[name] for name in ("uniform", "beta", "fractional beta", "middle", "upper tail", "tabulated")}
FEW = ("uniform", "beta", "upper tail", "tabulated")


def priors(names):
    """A parameter `name`: a few priors in the default run, the others among the slow tests."""
    given = [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in names]
    return pytest.mark.parametrize("name", given)


each = priors(BOUNDED)


@eqx.filter_jit
def curves(prior, x, u):
    """Density, cdf and survival at `x`, and the quantile of `u`."""
    return prior.density(x), prior.cdf(x), prior.survival(x), prior.quantile(u)


@eqx.filter_jit
def summary(prior):
    """Mean, standard deviation, and the nodes and weights of the quadrature."""
    return prior.mean(), prior.std(), prior.quadrature()


def grid(prior, n=103):
    low, high = map(float, prior.support())
    return np.linspace(low, high, n), low, high


@pytest.mark.slow
@priors([name for name in BOUNDED if BOUNDED[name][1]])
def test_bounded_priors_are_scipy(name):
    prior, law = BOUNDED[name]
    x, low, high = grid(prior)
    u = np.concatenate([[0, 1e-9], np.linspace(0.01, 0.99, 99), [1 - 1e-9, 1]])
    density, cdf, survival, quantile = curves(prior, x, u)
    np.testing.assert_allclose(density, law.pdf(x), atol=DENSITY * law.pdf(x).max())
    np.testing.assert_allclose(cdf, law.cdf(x), atol=CDF)
    np.testing.assert_allclose(survival, law.sf(x), atol=CDF)
    np.testing.assert_allclose(quantile, law.ppf(u), atol=QUANTILE * (high - low))
    mean, std, _ = summary(prior)
    assert float(mean) == pytest.approx(law.mean(), abs=QUANTILE * (high - low))
    assert float(std) == pytest.approx(law.std(), rel=1e-11)


@each
def test_quantile_undoes_cdf_and_both_stop_at_the_ends(name):
    prior, _ = BOUNDED[name]
    _, low, high = grid(prior)
    u = np.linspace(0, 1, 103)
    at = curves(prior, jnp.zeros(103), u)[3]
    np.testing.assert_allclose(curves(prior, at, u)[1], u, atol=CDF)
    outside, shares = jnp.array([low - 1, high + 1]), jnp.array([-0.5, 0.0, 1.0, 1.5])
    density, cdf, survival, ends = curves(prior, jnp.resize(outside, 103), jnp.resize(shares, 103))
    assert density[:2].tolist() == [0, 0] and cdf[:2].tolist() == [0, 1] and survival[:2].tolist() == [1, 0]
    assert ends[:4].tolist() == [low, low, high, high]
    slopes = eqx.filter_jit(lambda p, x: jax.jacfwd(lambda x: curves(p, x, x)[:3])(x))(prior, outside)
    assert all(bool(jnp.all(slope == 0)) for slope in slopes)


@each
def test_the_quadrature_takes_expectations(name):
    prior, law = BOUNDED[name]
    _, low, high = grid(prior)
    mean, std, (nodes, weights) = summary(prior)
    middle, spread = float(mean), float(std)

    def function(x):
        return np.exp(0.7 * (x - low) / (high - low)) * np.cos(3 * (x - middle) / (high - low))

    middles = np.clip([middle - 4 * spread, middle, middle + 4 * spread], low, high)
    density = law.pdf if law else lambda x: np.interp(x, POINTS, HEIGHTS)
    expected = sum(
        scipy.integrate.quad(lambda x: function(x) * density(x), a, b, epsabs=1e-14, epsrel=1e-13, limit=200)[0]
        for a, b in itertools.pairwise(np.unique([low, high, *middles, *POINTS[1:3]]))
        if low <= a and b <= high
    )
    assert float(jnp.sum(weights)) == pytest.approx(1, abs=EXPECTATION)
    assert float(np.sum(weights * function(np.asarray(nodes)))) == pytest.approx(float(expected), abs=EXPECTATION)


def differences(function, at, step=1e-5):
    """The derivatives in the flat array `at` by central differences, on a new last axis."""
    basis = step * np.eye(at.size)
    return np.stack([(function(at + e) - function(at - e)) / (2 * step) for e in basis], -1)


def check_derivatives(name):
    """In the argument and in every parameter, against differences; the acceptance tests run it."""
    prior, _ = BOUNDED[name]
    low, high = map(float, prior.support())
    flat, shape = jax.flatten_util.ravel_pytree(prior)
    x, u = low + 0.37 * (high - low), 0.83

    def values(both):
        p = shape(both[2:])
        nodes, weights = p.quadrature()
        at, share = both[0], both[1]
        smooth = jnp.sum(weights * jnp.sin(nodes))
        return jnp.stack([p.density(at), p.cdf(at), p.survival(at), p.quantile(share), smooth, p.mean(), p.std()])

    both = jnp.concatenate([jnp.array([x, u]), flat])
    first = jax.jacrev(values)
    every = jax.jit(lambda both: (values(both), first(both), jax.jacfwd(first)(both)))
    _, slope, bend = every(both)
    expected = differences(lambda at: every(at)[0], both)
    np.testing.assert_allclose(slope, expected, atol=FIRST * (1 + np.abs(expected).max()))
    expected = differences(lambda at: every(at)[1], both)
    np.testing.assert_allclose(bend, expected, atol=FIRST * (1 + np.abs(expected).max()))


def drawn(prior, n):
    """A sample, and the cdf of it."""
    x = prior.sample(jax.random.key(3), (n,))
    return x, prior.cdf(x)


@each
@pytest.mark.slow
def test_samples_have_the_moments(name):
    prior, _ = BOUNDED[name]
    n = 20_000
    x, share = eqx.filter_jit(drawn)(prior, n)
    _, low, high = grid(prior)
    assert x.shape == (n,) and low <= x.min() and x.max() <= high
    mean, std = map(float, summary(prior)[:2])
    assert abs(x.mean() - mean) < STANDARD_ERRORS * std / np.sqrt(n)
    squares = (x - mean) ** 2
    assert abs(squares.mean() - std**2) < STANDARD_ERRORS * squares.std() / np.sqrt(n)
    assert abs((share < 0.3).mean() - 0.3) < STANDARD_ERRORS * np.sqrt(0.21 / n)


@pytest.mark.parametrize("window", [(40.0, 50.0), (-60.0, -40.0), (0.0, 1e-3), (-30.0, 30.0)])
def test_far_and_narrow_windows(window):
    prior = dcg.TruncatedNormal(0.0, 1.0, *window)
    u = np.linspace(0, 1, 103)
    at = curves(prior, u, u)[3]
    _, cdf, survival, _ = curves(prior, at, u)
    # One rounding of x at 60 moves the cdf by 60 times as much.
    np.testing.assert_allclose(cdf, u, atol=60 * 60 * np.finfo(float).eps)
    np.testing.assert_allclose(cdf + survival, 1, atol=60 * 60 * np.finfo(float).eps)


@pytest.mark.slow
def test_derivatives_hold_at_the_ends():
    slope = jax.vmap(jax.grad(dcg.Beta(1.0, 2.0).cdf))(jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(slope, [2.0, 0.0], atol=DENSITY)
    bend = jax.jit(jax.vmap(jax.grad(dcg.Beta(2.0, 1.0).density)))(jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(bend, [2.0, 2.0], atol=DENSITY)
    by_a = jax.jit(jax.grad(lambda a: dcg.Beta(a, 2.0).density(0.0)))(2.0)
    assert abs(float(by_a)) < DENSITY


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: dcg.Beta(0.0, 1.0), "a: found 0; give numbers above zero"),
        (lambda: dcg.Beta(2.0, -1.0), "b: found -1"),
        (lambda: dcg.Beta(0.5, 2.0), "a: 0.5: below 1 the density has no bound; give 1 or more"),
        (lambda: dcg.Beta(2.0, 600.0), "b: found 600.0, above 500; use dcg.TruncatedNormal"),
        (lambda: dcg.Beta(jnp.nan, 2.0), "a: not a finite number"),
        (lambda: dcg.Beta(2.0, 2.0, 1.0, 1.0), "low: 1.0 does not lie below high = 1.0; give low < high"),
        (lambda: dcg.TruncatedNormal(0.0, 0.0, 0.0, 1.0), "scale: found 0"),
        (lambda: dcg.TruncatedNormal(0.0, 1.0, 2.0, 1.0), "low: 2.0 does not lie below high = 1.0"),
        (lambda: dcg.TruncatedNormal(0.0, 1.0, -jnp.inf, 1.0), "low: not a finite number"),
        (lambda: dcg.Uniform(2.0, 1.0), "low: 2.0 lies above high = 1.0; give low <= high"),
        (lambda: dcg.Tabulated([0.0, 1.0], [2.0, 2.0]), "densities: they integrate to 2; divide densities by 2.0"),
        (lambda: dcg.Tabulated([0.0, 1.0], [0.0, 0.0]), "densities: they integrate to 0; give densities above zero"),
        (lambda: dcg.Tabulated([0.0, 1.0], [-1.0, 3.0]), "densities: found -1"),
        (lambda: dcg.Tabulated([0.0, 0.0, 1.0], [1.0, 1.0, 1.0]), "points: they do not increase"),
        (lambda: dcg.Tabulated([0.0, jnp.nan], [1.0, 1.0]), "points: not a finite number"),
        (lambda: dcg.Tabulated([0.0, 1.0], [1.0]), r"densities: shape \(1,\) for 2 points"),
        (lambda: dcg.Tabulated(1.0, 1.0), r"points: shape \(\)"),
    ],
)
def test_bad_input_names_the_field_and_the_remedy(make, text):
    with pytest.raises(InputError, match=text):
        make()


@pytest.mark.parametrize("prior", [p for p, _ in BOUNDED.values()], ids=list(BOUNDED))
def test_a_specification_can_name_it(prior):
    assert isinstance(prior, AbstractBoundedPrior)
    table = describe(prior)
    back = build(table, AbstractPrior, "values")
    assert describe(back) == table and float(back.mean()) == float(prior.mean())
