"""What a program of this package chooses at its entry, and the library never touches."""

from __future__ import annotations

import os
from pathlib import Path


def prepare() -> None:
    """64-bit numbers, and compiled code kept on disk between runs, for this process and the workers it starts."""
    cache = Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or Path.home() / ".cache" / "dcg_econ" / "jax")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache)
    except OSError:
        pass  # a home that cannot be written to
    import jax

    jax.config.update("jax_enable_x64", True)
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
