"""What a program of this package chooses at its entry, and the library never touches."""

from __future__ import annotations

import os
from pathlib import Path

_KEPT = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"


def prepare() -> None:
    """64-bit numbers, and compiled code kept on disk between runs, for this process and the workers it starts."""
    # XLA has threads of its own. OpenBLAS's, which spin while they wait for the small matrices here, only take their
    # processors: with them the main study takes a sixth longer on an idle machine, training ten times as long on a busy one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # JAX keeps what took a second to compile; studies compile many things that take less.
    os.environ.setdefault(_KEPT, "0.1")
    cache = Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or Path.home() / ".cache" / "dcg_econ" / "jax")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache)
    except OSError:
        pass  # a home that cannot be written to
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", float(os.environ[_KEPT]))
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
