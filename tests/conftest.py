import gc
import os
import platform

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # two processes share the processors

import jax
import pytest

jax.config.update("jax_enable_x64", True)


def pytest_configure(config):
    """Compiles in haste, since compiling is most of the work, and keeps compiled code between runs: per process, since
    JAX's writes are not atomic, and per host. Acceptance tests and benchmarks compile as users do."""
    if not any("acceptance" in str(a) or "benchmarks" in str(a) for a in config.args):
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # for the processes that tests start
        jax.config.update("jax_disable_most_optimizations", True)
    cache = getattr(config, "cache", None)
    if cache is None:
        return
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    folder = cache.mkdir(f"jax-{jax.__version__}-{platform.node()}-{worker}")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


@pytest.fixture(scope="module", autouse=True)
def frozen():
    """What earlier files left behind is not searched for garbage: statsmodels collects at every call of a test."""
    gc.collect()
    gc.freeze()
