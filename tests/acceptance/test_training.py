"""Training at other settings than the default tests compile it for: one chunk of steps, a rate far too high."""

import numpy as np
import pytest

from dcg_econ.learning import default_optimiser
from tests.learning.test_train import run


@pytest.fixture(scope="module")
def two():
    return run(2)


def test_records_do_not_change_the_path(two):
    coarse = run(2, records=1)
    np.testing.assert_allclose(coarse.regret[:, -1], two.regret[:, -1], rtol=1e-9)


def test_training_that_diverges_comes_back(two):
    lost = run(2, optimiser=default_optimiser(60, 1e6))
    np.testing.assert_array_equal(lost.regret[:, 0], two.regret[:, 0])
    assert np.all(np.isnan(lost.regret[:, -1]) | (lost.regret[:, -1] > two.regret[:, 0]))
