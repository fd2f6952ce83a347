import os
import platform

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax

jax.config.update("jax_enable_x64", True)


def pytest_configure(config):
    """Keeps compiled code between runs: per process, since JAX's writes are not atomic, and per host."""
    cache = getattr(config, "cache", None)
    if cache is None:
        return
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    folder = cache.mkdir(f"jax-{jax.__version__}-{platform.node()}-{worker}")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
