import math

import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.diagnostics.gsnr import gsnr, gsnr_over_batches

CLOSED = 1e-12  # closed forms of a few dozen operations
MANY = 40_000
FOUR_ERRORS = 4  # standard errors of a mean of simulations: one test in 16 000 fails by chance, and seeds are fixed


def draws(rng, n, scales, ratio, direction):
    """n gradients with noise of the given scales by coordinate and GSNR `ratio`."""
    mean = direction / np.linalg.norm(direction) * np.sqrt(ratio * np.sum(scales**2))
    return mean + scales * rng.normal(size=(n, len(scales)))


def test_a_known_mean_and_covariance_are_recovered():
    rng = np.random.default_rng(0)
    mean, factor = np.array([1.0, -2.0, 0.5]), rng.normal(size=(3, 3))
    truth = mean @ mean / np.trace(factor @ factor.T)
    found = gsnr(mean + rng.normal(size=(MANY, 3)) @ factor.T, exact=2 * mean)
    assert found.low < truth < found.high
    assert found.low < found.value < found.high
    assert found.high - found.low < 0.1 * truth
    assert found.cosine == pytest.approx(1, abs=1e-3)


def test_the_estimate_is_free_of_the_floor():
    rng, scales, truth = np.random.default_rng(1), np.array([1.0, 2.0, 0.3, 0.3]), 0.5
    values = [gsnr(draws(rng, 20, scales, truth, np.ones(4))).value for _ in range(400)]
    error = np.std(values) / 20
    small_sample_bias = 0.06 * truth  # of 1 / s^2 with s^2 from 20 draws, of two degrees of freedom each, near enough
    assert abs(np.mean(values) - truth) < FOUR_ERRORS * error + small_sample_bias
    floor = 1 / 20
    assert abs(np.mean(values) - truth) < floor


@pytest.mark.parametrize("rows", [[[1.0, 2.0], [3.0, 0.0], [2.0, 1.0], [4.0, 5.0]]])
def test_value_by_hand(rows):
    rows = np.array(rows)
    mean, trace = rows.mean(0), np.trace(np.cov(rows, rowvar=False))
    assert gsnr(rows).value == pytest.approx((mean @ mean - trace / 4) / trace, abs=CLOSED)
    assert gsnr(jnp.asarray(rows)) == gsnr(rows)
    assert gsnr(1e6 * rows).value == pytest.approx(gsnr(rows).value, rel=CLOSED)


# n, scales by coordinate, GSNR, and whether the mean lies along the noisiest coordinate or across all.
REGIMES = {
    "faint": (60, np.ones(20), 1e-2, np.ones(20)),
    "loud": (60, np.ones(20), 10.0, np.ones(20)),
    "faint, uneven noise": (60, 1 / np.arange(1.0, 21), 1e-2, np.ones(20)),
    "loud along uneven noise": (60, 1 / np.arange(1.0, 21), 10.0, np.eye(20)[0]),
    "more numbers than draws": (20, np.ones(100), 1e-2, np.ones(100)),
}


@pytest.mark.slow
@pytest.mark.parametrize(("n", "scales", "truth", "direction"), REGIMES.values(), ids=REGIMES.keys())
def test_intervals_cover_the_truth_about_as_often_as_they_say(n, scales, truth, direction):
    rng, replications = np.random.default_rng(2), 300
    found = [gsnr(draws(rng, n, scales, truth, direction)) for _ in range(replications)]
    coverage = np.mean([f.low <= truth <= f.high for f in found])
    even = np.all(scales == scales[0])  # else the law is matched and not exact: it may cover more
    assert 0.90 <= coverage <= (0.99 if even else 1)  # 95 % asked for; 300 replications know it to 1.3 points


def test_intervals_tell_loud_from_faint():
    rng = np.random.default_rng(3)
    loud, faint = (gsnr(draws(rng, 60, np.ones(20), ratio, np.ones(20))) for ratio in (10.0, 1e-2))
    assert 8 < loud.low < loud.high < 12
    assert faint.high < 0.1


def test_pure_noise_is_nought_and_its_interval_starts_there():
    rng = np.random.default_rng(4)
    found = [gsnr(rng.normal(size=(30, 10))) for _ in range(100)]
    assert min(f.value for f in found) == 0
    assert np.median([f.value for f in found]) < 0.005  # the floor of the naive ratio is 1 / 30
    assert np.mean([f.low == 0 for f in found]) > 0.9


def test_without_variance_it_is_said_aloud():
    exact = np.array([1.0, 1.0, 0.0])
    sure = gsnr(np.tile([0.1, 0.1, 0.1], (7, 1)), exact)
    assert sure[:3] == (math.inf, math.inf, math.inf)
    assert sure.cosine == pytest.approx(2 / math.sqrt(6), abs=CLOSED)
    dead = gsnr(np.zeros((7, 3)), exact)
    assert dead[:3] == (0, 0, 0)
    assert math.isnan(dead.cosine)
    assert gsnr(np.ones((7, 3))).cosine is None
    assert gsnr_over_batches(np.tile([0.1, 0.2], (3, 4, 1)))[:2] == (math.inf, math.inf)


def test_a_biased_estimator_may_be_loud_and_shows_in_the_cosine():
    rng = np.random.default_rng(5)
    found = gsnr(np.array([0.0, 5.0]) + 0.1 * rng.normal(size=(50, 2)), exact=np.array([1.0, 0.0]))
    assert found.low > 100
    assert abs(found.cosine) < 0.1


def test_variance_splits_into_channel_and_batch():
    rng, batches, n = np.random.default_rng(6), 4000, 5
    mean, batch, channel = np.array([0.3, -0.4]), np.array([0.5, 1.0]), np.array([2.0, 1.0])
    centres = mean + batch * rng.normal(size=(batches, 1, 2))
    samples = centres + channel * rng.normal(size=(batches, n, 2))
    found = gsnr_over_batches(samples)
    relative = 0.1  # five standard errors or so of the noisiest, the mean's square
    assert found.channel_variance == pytest.approx(np.sum(channel**2), rel=relative)
    assert found.batch_variance == pytest.approx(np.sum(batch**2), rel=relative)
    assert found.within == pytest.approx((mean @ mean + np.sum(batch**2)) / np.sum(channel**2), rel=relative)
    both = np.sum(channel**2) + np.sum(batch**2)
    assert found.fresh == pytest.approx(mean @ mean / both, rel=3 * relative)
    fresh = gsnr(samples[:, 0])  # one sample of each batch: the same law
    assert fresh.low < found.fresh < fresh.high


def test_equal_batches_have_no_variance_between_them():
    rng = np.random.default_rng(7)
    found = [gsnr_over_batches(1 + rng.normal(size=(6, 8, 3))) for _ in range(50)]
    assert min(f.batch_variance for f in found) == 0
    assert (
        np.mean([f.batch_variance for f in found]) < 0.3
    )  # half of them cut at zero; the floor that is taken off is 3 / 8
    assert np.mean([f.channel_variance for f in found]) == pytest.approx(3, rel=0.1)


def test_batches_that_cancel_leave_no_signal():
    rng = np.random.default_rng(8)
    found = [gsnr_over_batches(rng.normal(size=(8, 1, 20)) + 0.1 * rng.normal(size=(8, 4, 20))) for _ in range(50)]
    assert min(f.fresh for f in found) == 0
    assert np.mean([f.fresh for f in found]) < 0.25 / 8  # the floor of a mean of eight batches is 1 / 8 of the variance
    assert np.mean([f.within for f in found]) == pytest.approx(100, rel=0.1)


@pytest.mark.parametrize("samples", [np.zeros((2, 3)), np.full((4, 2), np.nan), np.zeros((0, 2))])
def test_too_few_or_broken_samples_are_refused(samples):
    with pytest.raises(dcg.InputError, match="samples"):
        gsnr(samples)
    with pytest.raises(dcg.InputError, match="samples"):
        gsnr_over_batches(np.stack([samples, samples]))


def test_one_batch_is_sent_to_gsnr():
    with pytest.raises(dcg.InputError, match="call gsnr"):
        gsnr_over_batches(np.zeros((1, 5, 2)))
