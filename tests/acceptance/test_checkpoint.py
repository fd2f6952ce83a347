"""A process killed while it writes a checkpoint, and another that takes its training over."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np

import dcg_econ as dcg
from tests.learning.test_checkpoint import assert_same_bits, posix, run

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import os, signal, sys
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np
from tests.learning.test_checkpoint import arrays, dcg, run

path, saves_before_death, result = sys.argv[1], int(sys.argv[2]), sys.argv[3]
saves, sync = [], os.fsync

def fsync(descriptor):
    if len(saves) == saves_before_death:
        os.kill(os.getpid(), signal.SIGKILL)
    saves.append(descriptor)
    sync(descriptor)

os.fsync = fsync
done = run(checkpoint=dcg.Checkpoint(path, tag="silence", every=0))
np.savez(result, *arrays(done))
"""


def child(*arguments):
    env = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    if jax.config.jax_compilation_cache_dir:
        env["JAX_COMPILATION_CACHE_DIR"] = jax.config.jax_compilation_cache_dir
    return subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, arguments)], env=env, cwd=ROOT, capture_output=True, text=True
    )


@posix
def test_a_killed_process_is_taken_over_by_another(tmp_path):
    checkpoint = dcg.Checkpoint(tmp_path / "cell", tag="silence", every=0)
    killed = child(checkpoint.path, 2, tmp_path / "killed.npz")  # while it writes its third checkpoint
    assert killed.returncode == -9, killed.stderr
    assert len(list(tmp_path.glob(".cell-*.tmp"))) == 1 and not (tmp_path / "killed.npz").exists()
    done = child(checkpoint.path, 99, tmp_path / "done.npz")
    assert done.returncode == 0, done.stderr
    assert "cannot be used" not in done.stderr
    with np.load(tmp_path / "done.npz") as found:
        assert_same_bits([found[name] for name in found.files], run())
    other = tmp_path / ".cell-of-another-0123abc_.tmp"
    other.touch()
    checkpoint.remove()
    assert {path.name for path in tmp_path.iterdir()} == {"done.npz", other.name}
