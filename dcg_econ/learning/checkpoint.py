"""Checkpoints: what a long training has reached, kept in one file that is either whole or not there.

The file is a line of JSON (format, tag, step, SHA-256 of the rest, fingerprint of the tree) followed by the arrays as
`eqx.tree_serialise_leaves` writes them. Nothing is pickled, and nothing is taken from a file that does not fit.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import stat
import tempfile
import warnings
from collections.abc import Mapping
from glob import escape
from pathlib import Path
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from dcg_econ._errors import InputError

_FORMAT = 1
_CLOSE = 1e-5  # frozen parts of agents are computed, and differ in their last digits from one machine to another


@final
class Checkpoint:
    """Where `train` keeps its state, so that the same call after an interruption goes on from there.

    `path`: the file. `tag`: what the training belongs to, as far as the arguments of `train` do not show it: functions
    (agents, optimiser) leave no trace in the file. `every`: seconds between saves, zero for every record. A file that is
    broken or belongs to something else is renamed to `<name>.aside-1` (-2, ...), with a warning. Whoever calls
    `train` removes the file when the result is safe.
    """

    def __init__(self, path: str | os.PathLike[str], tag: str = "", every: float | int = 30.0):
        if not isinstance(tag, str):
            raise InputError("tag", f"{tag!r}", "give a text")
        if not every >= 0:
            raise InputError("every", f"{every!r}", "give seconds, zero or more")
        self.path, self.tag, self.every = Path(path), tag, every

    def __repr__(self):
        return f"Checkpoint({str(self.path)!r}, tag={self.tag!r}, every={self.every!r})"

    def save(self, step: int, given: Any, tree: Any) -> None:
        """Replaces the file by `tree` after `step` steps of a training on `given`.

        Raises OSError that names the file, with the last checkpoint untouched, where it cannot be written.
        """
        body = io.BytesIO()
        eqx.tree_serialise_leaves(body, _plain((given, tree)), _write)
        header = {
            "format": _FORMAT,
            "tag": self.tag,
            "step": step,
            "sha256": hashlib.sha256(body.getvalue()).hexdigest(),
            "fingerprint": _fingerprint((given, tree)),
        }
        _replace(self.path, json.dumps(header).encode() + b"\n" + body.getvalue())

    def load(self, given: Any, shapes: Mapping[int, Any]) -> Any:
        """The tree saved last; None without a file that can be used.

        `shapes[step]` is a tree like the one saved after `step` steps, of arrays or `jax.ShapeDtypeStruct`.
        """
        try:
            mode = self.path.lstat().st_mode
        except FileNotFoundError:
            return None
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise InputError("checkpoint", f"{self.path} is no file", "name a file that `train` may write")
        try:
            if stat.S_ISLNK(mode):
                raise _Unusable("it is a link, which is not followed")
            return _read(self.path.read_bytes(), self.tag, given, shapes)
        except _Unusable as reason:
            self._set_aside(str(reason))
            return None

    def remove(self) -> None:
        """Deletes the file, and what processes that were killed while writing it have left."""
        left = self.path.parent.glob(f".{escape(self.path.name)}-{'[a-z0-9_]' * 8}.tmp")  # as `mkstemp` names them
        for path in (self.path, *left):
            path.unlink(missing_ok=True)

    def _set_aside(self, reason: str) -> None:
        names = (self.path.with_name(f"{self.path.name}.aside-{n}") for n in itertools.count(1))
        aside = next(name for name in names if not os.path.lexists(name))
        self.path.rename(aside)
        warnings.warn(
            f"checkpoint {self.path} cannot be used: {reason}. It was renamed to {aside.name}, and training starts from "
            "the beginning",
            stacklevel=5,  # the caller of `train`
        )


class _Unusable(Exception):
    """Why a file is not the checkpoint of this training."""


def _read(data: bytes, tag: str, given: Any, shapes: Mapping[int, Any]) -> Any:
    line, _, body = data.partition(b"\n")
    try:
        header = json.loads(line)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise _Unusable("it is broken, or no checkpoint of this version")
    if header.get("tag") != tag:
        raise _Unusable(f"its tag is {header.get('tag')!r}, not {tag!r}")
    step = header.get("step")
    if type(step) is not int or step not in shapes:
        raise _Unusable(f"it stands at step {step!r}, where this training keeps no record")
    like = (given, shapes[step])
    if header.get("fingerprint") != _fingerprint(like):
        raise _Unusable("it is of other settings, agents or types of numbers")
    if header.get("sha256") != hashlib.sha256(body).hexdigest():
        raise _Unusable("it is damaged (its checksum is wrong)")
    try:
        before, tree = eqx.tree_deserialise_leaves(io.BytesIO(body), _plain(like), _load)
    except (RuntimeError, ValueError, EOFError) as error:
        raise _Unusable(f"it cannot be read ({error})") from error
    if not all(map(_same, jax.tree.leaves(before), jax.tree.leaves(_plain(given)))):
        raise _Unusable("it is of another key, or of a mechanism or agents with other numbers")
    return jax.tree.map(_as_key, tree, shapes[step])


def _write(file, x):
    if eqx.is_array(x):
        np.save(file, np.asarray(x), allow_pickle=False)


def _load(file, x):
    return jnp.load(file, allow_pickle=False) if hasattr(x, "shape") else x


def _is_key(x: Any) -> bool:
    return hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _plain(tree: Any) -> Any:
    """`tree` with random keys as the numbers they are made of."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if _is_key(x) else x, tree)


def _as_key(x: Any, like: Any) -> Any:
    return jax.random.wrap_key_data(x, impl=jax.random.key_impl(like)) if _is_key(like) else x


def _fingerprint(tree: Any) -> str:
    """SHA-256 of where the leaves of `tree` are, of the shapes and types of arrays, and of all other leaves."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    lines = [
        f"{jax.tree_util.keystr(path)} {f'{x.shape} {x.dtype}' if hasattr(x, 'shape') else repr(x)}"
        for path, x in leaves
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _same(a: Any, b: Any) -> bool:
    """Whether two arrays agree, up to rounding in units of the largest entry."""
    if not hasattr(a, "shape"):
        return True
    a, b = np.asarray(a), np.asarray(b)
    if not np.issubdtype(b.dtype, np.inexact):
        return np.array_equal(a, b)
    largest = np.max(np.abs(b), where=np.isfinite(b), initial=0)
    return np.allclose(a, b, rtol=_CLOSE, atol=_CLOSE * largest, equal_nan=True)


def _replace(path: Path, data: bytes) -> None:
    """Puts `data` in the place of the file at once, or leaves it as it was and raises OSError."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, f"checkpoint not written: {error.strerror or error}", str(path)) from error
        raise
