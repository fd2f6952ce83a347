"""What is written is there whole or not at all; what is found damaged is set aside and said."""

import errno
import json
import os
import shutil

import pandas as pd
import pytest

from dcg_econ.experiments import store as store_module
from dcg_econ.experiments.provenance import commit, provenance
from dcg_econ.experiments.store import FAILED, MANIFEST, MISSING, Store, StoreError, WriteError, check_folder

FRAME = pd.DataFrame({"session": [0, 1], "price": [0.5, 0.25]})
FRAME.attrs["variable_labels"] = {"price": "Price, $/lb"}
ID = "nash-0123456789abcdef"
TOLD = {"warnings": [], "facts": {}, "sessions": 2, "unconverged": 0, "seconds": 0.5}


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "out", writing=True)
    store.folder.mkdir()
    store.prepare()
    return store


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def cell_of(store):
    return store.folder / "cells" / ID


def test_a_cell_is_read_back_as_it_was_written(store):
    store.write_cell(ID, {"panel": FRAME}, TOLD)
    status = store.finished("nash", ID)
    assert status.state == "ok" and status.manifest["sessions"] == 2 and listing(store.folder / "cells") == [ID]
    frame = store.frames(ID, status.manifest)["panel"]
    pd.testing.assert_frame_equal(frame, FRAME)
    assert frame.attrs == FRAME.attrs


def truncate(store):
    path = cell_of(store) / "panel.parquet"
    path.write_bytes(path.read_bytes()[:-40])


def half_a_manifest(store):
    path = cell_of(store) / MANIFEST
    path.write_text(path.read_text()[:60])


def no_manifest(store):
    (cell_of(store) / MANIFEST).unlink()


def another_manifest(store):
    path = cell_of(store) / MANIFEST
    path.write_text(path.read_text().replace(ID, "another"))


def no_frame(store):
    (cell_of(store) / "panel.parquet").unlink()


def flipped_bit(store):
    path = cell_of(store) / "panel.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def linked_frame(store):
    path = cell_of(store) / "panel.parquet"
    shutil.move(path, store.folder.parent / "elsewhere.parquet")
    path.symlink_to(store.folder.parent / "elsewhere.parquet")


def linked_cell(store):
    shutil.move(cell_of(store), store.folder.parent / "elsewhere")
    cell_of(store).symlink_to(store.folder.parent / "elsewhere")


def dangling_link(store):
    shutil.rmtree(cell_of(store))
    cell_of(store).symlink_to(store.folder.parent / "nowhere")


def traversal(store):
    path = cell_of(store) / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["files"] = {"../../../secret": manifest["files"]["panel"]}
    path.write_text(json.dumps(manifest))


def rewritten(store, **changes):
    path = cell_of(store) / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def nested(store):
    (cell_of(store) / MANIFEST).write_text("[" * 100_000)


def warnings_of_no_kind(store):
    rewritten(store, warnings=5)


def sessions_in_words(store):
    rewritten(store, sessions="many")


def no_frames_at_all(store):
    rewritten(store, files={})


def of_the_future(store):
    rewritten(store, format=99)


DAMAGE = [
    nested,
    warnings_of_no_kind,
    sessions_in_words,
    no_frames_at_all,
    of_the_future,
    truncate,
    half_a_manifest,
    no_manifest,
    another_manifest,
    no_frame,
    flipped_bit,
    linked_frame,
    linked_cell,
    dangling_link,
    traversal,
]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda f: f.__name__)
def test_damage_is_set_aside_and_said(store, damage):
    store.write_cell(ID, {"panel": FRAME}, TOLD)
    damage(store)
    looking = Store(store.folder)
    assert looking.finished("nash", ID).state == MISSING and len(looking.aside) == 1
    assert store.finished("nash", ID).state == MISSING
    assert len(store.aside) == 1 and ID in store.aside[0] and "moved to aside/" in store.aside[0]
    assert listing(store.folder / "cells") == [] and len(listing(store.folder / "aside")) == 1
    store.write_cell(ID, {"panel": FRAME}, TOLD)
    assert store.finished("nash", ID).state == "ok"


def test_a_failure_is_kept_and_goes_with_success(store):
    try:
        raise RuntimeError("no luck\nat all")
    except RuntimeError as error:
        store.write_failure("nash", ID, error, 2)
    status = store.finished("nash", ID)
    assert status.state == FAILED and status.manifest["error"] == "RuntimeError: no luck at all"
    assert "test_store" in status.manifest["traceback"] and status.manifest["attempts"] == 2
    store.write_cell(ID, {"panel": FRAME}, TOLD)
    assert store.finished("nash", ID).state == "ok" and listing(store.folder / "failed") == []


def test_half_a_record_of_a_failure_is_set_aside(store):
    (store.folder / "failed" / f"{ID}.json").write_text('{"name": "na')
    assert store.finished("nash", ID).state == MISSING and len(store.aside) == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EACCES])
def test_what_cannot_be_written_leaves_nothing_behind(store, monkeypatch, code):
    def refuse(_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(store_module.os, "fsync", refuse)
    remedy = "permissions" if code == errno.EACCES else "make room"
    with pytest.raises(WriteError, match=remedy):
        store.write_cell(ID, {"panel": FRAME}, {})
    with pytest.raises(WriteError, match=remedy):
        store.write_plan({"cells": []})
    assert listing(store.folder / "cells") == [] and listing(store.folder) == ["cells", "checkpoints", "failed"]


def test_who_comes_second_keeps_the_first(store):
    store.write_cell(ID, {"panel": FRAME}, TOLD | {"by": "first"})
    store.write_cell(ID, {"panel": FRAME}, TOLD | {"by": "second"})
    assert store.finished("nash", ID).manifest["by"] == "first" and listing(store.folder / "cells") == [ID]


def test_leftovers_of_a_killed_run_are_cleared(store):
    for folder in (store.folder, store.folder / "cells"):  # of a report, of a cell
        (folder / ".new-abc").mkdir()
        (folder / ".new-abc" / "half").write_bytes(b"half")
    for folder in (store.folder, store.folder / "failed"):  # of a plan, of a failure
        (folder / ".new-def").write_bytes(b"half")
    store.prepare()
    assert listing(store.folder) == ["cells", "checkpoints", "failed"]
    assert [listing(store.folder / part) for part in ("cells", "failed")] == [[], []]


def test_leftovers_are_looked_for_where_they_are_made(store):
    store.write_cell(ID, {"panel": FRAME}, TOLD)
    (cell_of(store) / ".new-abc").write_bytes(b"somebody's")
    (store.folder.parent / "elsewhere").mkdir()
    (store.folder.parent / "elsewhere" / "chapter.tex").write_text("x")
    (store.folder / ".new-abc").symlink_to(store.folder.parent / "elsewhere")
    store.prepare()
    assert listing(cell_of(store)) == [".new-abc", MANIFEST, "panel.parquet"]
    assert listing(store.folder.parent / "elsewhere") == ["chapter.tex"]


def test_foreign_folders_are_left_alone(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    with pytest.raises(StoreError, match="not results; name another folder"):
        check_folder(tmp_path / "thesis")
    with pytest.raises(StoreError, match="is a file"):
        check_folder(tmp_path / "thesis" / "chapter.tex")
    with pytest.raises(StoreError, match="make them with `dcg-econ run`"):
        Store(tmp_path / "nothing").plan()


@pytest.mark.parametrize("part", ["cells", "failed", "checkpoints", "aside", "figures", "tables"])
def test_a_folder_that_leads_elsewhere_is_refused(tmp_path, part):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / part).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="is a link"):
        Store(tmp_path / "out").prepare()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"format": 1}',
        *(f'{{"format": 1, "cells": [{{"id": "{i}"}}]}}' for i in ("x", "../x")),
    ],
)
def test_a_damaged_plan_says_what_to_do(store, text):
    (store.folder / "study.json").write_text(text)
    with pytest.raises(StoreError, match=r"is damaged.*dcg-econ run"):
        store.plan()


def test_a_plan_of_the_future_is_refused(store):
    (store.folder / "study.json").write_text('{"format": 99, "cells": []}')
    with pytest.raises(StoreError, match="newer dcg_econ"):
        store.plan()


def test_provenance_names_what_numbers_depend_on(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=")
    found = provenance()
    assert found["versions"]["jax"] and found["versions"]["dcg_econ"] and found["flags"]["XLA_FLAGS"]
    assert found["commit"] == commit() and json.dumps(found)
