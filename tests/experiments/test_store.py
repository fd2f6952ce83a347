import json

import pandas as pd
import pytest

from dcg_econ.experiments import store

FRAMES = {"panel": pd.DataFrame({"session": [0, 1], "price": [0.5, 0.25]}), "cells": pd.DataFrame({"cell": ["a"]})}


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_read_back(tmp_path):
    FRAMES["panel"].attrs["variable_labels"] = {"price": "Price, $/lb"}
    store.write_results(tmp_path / "out", FRAMES, {"title": "A study"})
    frames, manifest = store.read_results(tmp_path / "out")
    pd.testing.assert_frame_equal(frames["panel"], FRAMES["panel"])
    assert frames["panel"].attrs["variable_labels"]["price"] == "Price, $/lb"
    assert manifest["title"] == "A study" and listing(tmp_path) == ["out"]
    assert (tmp_path / "out" / "panel.csv").read_text() == "session,price\n0,0.5\n1,0.25\n"


def test_a_rerun_replaces_results_whole(tmp_path):
    store.write_results(tmp_path / "out", FRAMES, {"title": "first"})
    store.write_results(tmp_path / "out", {"panel": FRAMES["panel"]}, {"title": "second"})
    frames, manifest = store.read_results(tmp_path / "out")
    assert set(frames) == {"panel"} and manifest["title"] == "second" and listing(tmp_path) == ["out"]


def test_a_failure_leaves_what_was_there(tmp_path):
    store.write_results(tmp_path / "out", FRAMES, {"title": "first"})
    broken = {"panel": pd.DataFrame({"x": [object()]})}  # no Parquet type
    with pytest.raises(Exception, match="object"):
        store.write_results(tmp_path / "out", broken, {"title": "second"})
    assert store.read_results(tmp_path / "out")[1]["title"] == "first" and listing(tmp_path) == ["out"]


def test_foreign_folders_are_left_alone(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    with pytest.raises(store.StoreError, match="not results; name another folder"):
        store.write_results(tmp_path / "thesis", FRAMES, {})
    assert listing(tmp_path / "thesis") == ["chapter.tex"]
    with pytest.raises(store.StoreError, match="make them with `dcg-econ run`"):
        store.read_results(tmp_path / "nothing")


def test_the_manifest_is_plain_json_with_versions(tmp_path):
    store.write_results(tmp_path / "out", FRAMES, {"versions": store.versions(), "hardware": store.hardware()})
    manifest = json.loads((tmp_path / "out" / store.MANIFEST).read_text())
    assert manifest["versions"]["jax"] and manifest["versions"]["dcg_econ"] and manifest["frames"] == ["cells", "panel"]
