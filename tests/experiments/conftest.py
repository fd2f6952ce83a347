import pytest

from dcg_econ.experiments.specification import parse
from dcg_econ.experiments.study import Study
from tests.experiments.processes import LONG


@pytest.fixture(scope="session")
def compiled(request):
    """Where processes keep what JAX compiles, between tests and between runs of the tests."""
    return request.config.cache.mkdir("jax-processes")


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The panel of the long study, computed in one process without interruption, and its folder."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    return Study.of(parse(LONG), folder).run(quiet=True), folder


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(LONG, encoding="utf-8")
    return path
