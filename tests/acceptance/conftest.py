"""The fixtures of the lab's tests, for those of them that take long."""

from tests.experiments.conftest import compiled, study_file, whole  # noqa: F401
