import errno
import hashlib
import io
import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms import QuantityMarket

posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")

GIVEN = {"kind": "market", "numbers": jnp.array([0.5, 1.0]), "key": jax.random.key(1)}
TREE = {"w": jnp.array([1.5, -jnp.inf, jnp.nan]), "n": jnp.arange(3), "k": jax.random.split(jax.random.key(2), 3)}
SHAPES = {20: TREE, 40: TREE}


def market(slope):
    return QuantityMarket(curvature=jnp.ones(2), values=dcg.Uniform(1.0, 2.0), outside_slope=slope)


def make(key):
    return dcg.Shared(dcg.QuantityAgent(key=key, width=4))


def run(slope=0.5, steps=50, records=4, **settings):
    sizes = {"steps": steps, "batch": 8, "sessions": 2, "records": records, "record_draws": 16}
    return dcg.train(market(slope), make, key=jax.random.key(3), **sizes, **settings)


def arrays(tree):
    return [np.asarray(x) for x in jax.tree.leaves(tree) if hasattr(x, "shape")]


def assert_same_bits(one, other):
    for a, b in zip(arrays(one), arrays(other), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


class Stop(Exception):
    pass


def stop_at(step):
    def progress(done, total, text):
        if done == step:
            raise Stop

    return progress


@pytest.fixture
def checkpoint(tmp_path):
    return dcg.Checkpoint(tmp_path / "cell", tag="silence", every=0)


@pytest.fixture(scope="module")
def whole():
    return run()


@pytest.mark.parametrize("step", [12, 25, 38])
def test_an_interrupted_run_ends_in_the_same_bits(checkpoint, whole, step):
    with pytest.raises(Stop):
        run(checkpoint=checkpoint, progress=stop_at(step))
    header = json.loads(checkpoint.path.read_bytes().partition(b"\n")[0])
    assert (header["format"], header["tag"], header["step"]) == (1, "silence", step)
    seen = []
    resumed = run(checkpoint=checkpoint, progress=lambda done, total, text: seen.append((done, text)))
    assert [done for done, _ in seen] == [mark for mark in (12, 25, 38, 50) if mark >= step]
    assert f"efficiency {np.mean(whole.efficiency[:, whole.steps.tolist().index(step)]):.4f}" in seen[0][1]
    assert_same_bits(resumed, whole)


def test_a_finished_run_is_returned_at_once(checkpoint, whole):
    run(checkpoint=checkpoint)
    written, seen = checkpoint.path.stat().st_mtime_ns, []
    assert_same_bits(run(checkpoint=checkpoint, progress=lambda done, *_: seen.append(done)), whole)
    assert seen == [50] and checkpoint.path.stat().st_mtime_ns == written
    checkpoint.remove()
    checkpoint.remove()
    assert list(checkpoint.path.parent.iterdir()) == []


def test_nothing_is_written_before_it_is_time(tmp_path, whole):
    assert_same_bits(run(checkpoint=dcg.Checkpoint(tmp_path / "cell", every=3600)), whole)
    assert list(tmp_path.iterdir()) == []


def test_another_training_does_not_go_on_from_it(checkpoint, whole):
    with pytest.raises(Stop):
        run(0.6, checkpoint=checkpoint, progress=stop_at(25))
    with pytest.warns(UserWarning, match="other numbers"):
        fresh = run(checkpoint=checkpoint)
    assert_same_bits(fresh, whole)
    assert checkpoint.path.with_name("cell.aside-1").is_file()


def test_a_longer_training_does_not_go_on_from_a_shorter_one(checkpoint):
    with pytest.raises(Stop):
        run(checkpoint=checkpoint, progress=stop_at(25))
    with pytest.warns(UserWarning, match="other settings"), pytest.raises(Stop):
        run(steps=100, records=8, checkpoint=checkpoint, progress=stop_at(12))  # the same marks so far


def test_a_tree_comes_back_as_it_was(checkpoint):
    assert checkpoint.load(GIVEN, SHAPES) is None
    checkpoint.save(20, GIVEN, TREE)
    checkpoint.save(40, GIVEN, TREE)
    found = checkpoint.load(GIVEN, SHAPES)
    for name in ("w", "n"):
        assert_same_bits(found[name], TREE[name])
    assert_same_bits(jax.random.key_data(found["k"]), jax.random.key_data(TREE["k"]))


def test_rounding_of_another_machine_is_no_other_training(checkpoint):
    checkpoint.save(20, GIVEN, TREE)
    assert checkpoint.load(GIVEN | {"numbers": GIVEN["numbers"] * (1 + 1e-12)}, SHAPES) is not None


def with_header(data, **changes):
    line, _, body = data.partition(b"\n")
    return json.dumps(json.loads(line) | changes).encode() + b"\n" + body


def with_a_pickle(data):
    """A file with a true checksum, whose arrays are pickled objects."""
    body = io.BytesIO()
    for _ in range(8):
        np.save(body, np.array([Stop()], dtype=object), allow_pickle=True)
    line = with_header(data, sha256=hashlib.sha256(body.getvalue()).hexdigest()).partition(b"\n")[0]
    return line + b"\n" + body.getvalue()


DAMAGE = {
    "truncated": lambda data: data[:-1],
    "truncated in its header": lambda data: data[:20],
    "empty": lambda data: b"",
    "a flipped bit": lambda data: data[:-5] + bytes([data[-5] ^ 1]) + data[-4:],
    "longer": lambda data: data + b"0",
    "no text": lambda data: b"\xff\xfe\n",
    "nested without end": lambda data: b"[" * 100_000,
    "another format": lambda data: with_header(data, format=2),
    "another tag": lambda data: with_header(data, tag="chat"),
    "another step": lambda data: with_header(data, step=21),
    "no number of steps": lambda data: with_header(data, step=[20]),
    "another fingerprint": lambda data: with_header(data, fingerprint="0"),
    "a pickle": lambda data: b"\x80\x04K\x01.",
    "pickled arrays": with_a_pickle,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_does_not_fit_is_set_aside(checkpoint, damage):
    aside = checkpoint.path.with_name("cell.aside-2")
    checkpoint.path.with_name("cell.aside-1").write_text("of last time")
    checkpoint.save(20, GIVEN, TREE)
    broken = damage(checkpoint.path.read_bytes())
    checkpoint.path.write_bytes(broken)
    with pytest.warns(UserWarning, match=r"cell cannot be used: .* renamed to cell\.aside-2, and training starts"):
        assert checkpoint.load(GIVEN, SHAPES) is None
    assert aside.read_bytes() == broken and not checkpoint.path.exists()


OTHERS = {
    "another key": (GIVEN | {"key": jax.random.key(9)}, SHAPES),
    "other numbers": (GIVEN | {"numbers": jnp.array([0.5, 1.001])}, SHAPES),
    "another kind": (GIVEN | {"kind": "auction"}, SHAPES),
    "another shape": (GIVEN, {20: TREE | {"w": jnp.ones(4)}}),
    "another type": (GIVEN, {20: TREE | {"n": jnp.ones(3)}}),
    "another name": (GIVEN, {20: {"v": TREE["w"], "n": TREE["n"], "k": TREE["k"]}}),
}


@pytest.mark.parametrize(("given", "shapes"), OTHERS.values(), ids=OTHERS)
def test_what_belongs_to_something_else_is_set_aside(checkpoint, given, shapes):
    checkpoint.save(20, GIVEN, TREE)
    with pytest.warns(UserWarning, match="it is of "):
        assert checkpoint.load(given, shapes) is None


@pytest.mark.parametrize("exists", [True, False])
@posix
def test_a_link_is_set_aside_and_not_followed(checkpoint, exists):
    target = checkpoint.path.with_name("elsewhere")
    checkpoint.path.symlink_to(target)
    if exists:
        dcg.Checkpoint(target, tag="silence").save(20, GIVEN, TREE)
    with pytest.warns(UserWarning, match="a link"):
        assert checkpoint.load(GIVEN, SHAPES) is None
    assert checkpoint.path.with_name("cell.aside-1").is_symlink() and target.exists() == exists
    checkpoint.path.symlink_to(target)
    checkpoint.save(20, GIVEN, TREE)
    assert checkpoint.path.is_file() and not checkpoint.path.is_symlink()


def test_a_folder_is_left_alone(checkpoint):
    checkpoint.path.mkdir()
    with pytest.raises(dcg.InputError, match="name a file"):
        checkpoint.load(GIVEN, SHAPES)
    with pytest.raises(OSError, match="not written"):
        checkpoint.save(20, GIVEN, TREE)
    assert [path.name for path in checkpoint.path.parent.iterdir()] == ["cell"]


@pytest.mark.parametrize("every", [-1, float("nan")])
def test_settings_are_checked(every):
    with pytest.raises(dcg.InputError, match="every"):
        dcg.Checkpoint("cell", every=every)


def test_a_full_disk_leaves_the_last_checkpoint(checkpoint, whole, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(Stop):
        run(checkpoint=checkpoint, progress=stop_at(25))
    before = checkpoint.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="not written") as caught:
            run(checkpoint=checkpoint)
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(checkpoint.path)
    assert [path.name for path in checkpoint.path.parent.iterdir()] == ["cell"]
    assert checkpoint.path.read_bytes() == before
    assert_same_bits(run(checkpoint=checkpoint), whole)


@posix
def test_a_file_that_may_not_grow_leaves_the_last_checkpoint(checkpoint):
    import resource

    checkpoint.save(20, GIVEN, TREE)
    before = checkpoint.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="not written") as caught:
            checkpoint.save(40, GIVEN, TREE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.filename == str(checkpoint.path)
    assert [path.name for path in checkpoint.path.parent.iterdir()] == ["cell"]
    assert checkpoint.path.read_bytes() == before
