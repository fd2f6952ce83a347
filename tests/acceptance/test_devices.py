import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.learning.devices import placement

ROOT = Path(__file__).resolve().parents[2]
ROUNDING = (
    1e-8  # XLA sums in another order when it compiles for one session than for four, and learning carries that on
)
COLLECTIVE = re.compile(r"\b(all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute)")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What `four_devices` found, and the programs that XLA made for it."""
    folder = tmp_path_factory.mktemp("devices")
    dump = f"--xla_dump_to={folder} --xla_dump_hlo_module_re=jit_(advance|assess).*"
    flags = (
        f"--xla_force_host_platform_device_count=4 {dump} --xla_backend_optimization_level=0"  # compiles twice as fast
    )
    env = {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.learning.four_devices", str(folder / "found")],
        env=os.environ | env | {"XLA_FLAGS": flags},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "cannot be used" not in done.stderr
    programs = [path.read_text() for path in folder.glob("*after_optimizations.txt")]
    return json.loads((folder / "found").read_text()) | {"programs": programs}


def assert_equal(one, other, tolerance):
    for a, b in zip(one["arrays"], other["arrays"], strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("game", ["schedules", "quantities"])
def test_four_devices_train_what_one_trains(found, game):
    four, one = found[game], found[f"{game} on one"]
    assert four["seen"] == [[4, 1]] and one["seen"] == [[1, 4]]  # devices, sessions on each
    assert four["ordinary"] and one["ordinary"]
    assert_equal(four, one, ROUNDING)


def test_devices_do_not_talk_while_they_learn(found):
    split = [text for text in found["programs"] if "num_partitions=" in text]
    assert len(split) >= 4
    assert [COLLECTIVE.findall(text) for text in split] == [[]] * len(split)


def test_as_many_devices_work_as_divide_the_sessions(found):
    assert found["used"] == [1, 2, 3, 4, 1, 3, 1, 4, 3, 2, 1, 4]
    assert found["six"]["seen"] == [[3, 2]]
    regret, of_four = (np.asarray(found[name]["arrays"][-2]) for name in ("six", "quantities on one"))
    np.testing.assert_allclose(regret[:4], of_four, rtol=ROUNDING)


@pytest.mark.parametrize("way", ["four, then one", "one, then four"])
def test_a_checkpoint_knows_nothing_of_devices(found, way):
    assert found[way]["seen"] == ([[1, 4]] if way.endswith("one") else [[4, 1]])
    assert_equal(found[way], found["quantities on one"], ROUNDING)


def test_one_device_is_todays_path(found):
    assert found["the third alone"]["ordinary"]
    assert_equal(found["the third alone"], found["quantities on one"], 0)
    keys = jax.random.split(jax.random.key(0), 4)
    assert placement(None, keys) == placement(jax.devices()[:1], keys) == (None, None, None)


def test_devices_are_checked():
    with pytest.raises(dcg.InputError, match=r"jax\.devices"):
        placement([], jax.random.split(jax.random.key(0), 4))
