import copy
import json
import os

import pytest
from hypothesis import given, settings

from dcg_econ.experiments import Specification, SpecificationError, load
from dcg_econ.experiments.plan import cells_of
from dcg_econ.experiments.schema import json_schema
from dcg_econ.experiments.specification import catalog, parse
from tests.experiments.malformed import GOOD, perhaps_bad, surely_bad, toml


def changed(*path, to):
    tree = copy.deepcopy(GOOD)
    place = tree
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = to
    return toml(tree)


def refusal(text, folder=None):
    with pytest.raises(SpecificationError) as error:
        cells_of(parse(text, "study.toml", folder))
    return str(error.value)


def test_the_catalogue_is_valid():
    assert set(catalog()) >= {"fish_market", "how_many_traders"}
    for name in catalog():
        assert isinstance(load(name), Specification) and cells_of(load(name).short())


def test_a_file_is_read_with_defaults():
    specification = parse(toml(GOOD))
    assert specification.training.knots == 12 and specification.precision == "float64"
    learned = specification.treatments[1]
    assert (learned.conduct, learned.protocol, learned.estimator) == ("learned", "silence", None)
    assert specification.training_of(learned).knots == 5
    short = load("fish_market").short()
    assert short.sessions == 2 and short.training.steps == 60 and short.calibration == load("fish_market").calibration


@pytest.mark.parametrize(
    "path, to, expected",
    [
        (("sesions",), 3, "study.toml: sesions: unknown key; did you mean `sessions`?"),
        (("sessions",), "two", "study.toml: sessions: got 'two'; input should be a valid integer"),
        (("sessions",), 2.0, "sessions: got 2.0"),
        (
            ("mechanism", "curvatur"),
            [1.0],
            "mechanism.curvatur: curve_market has no such parameter; did you mean `curvature`?",
        ),
        (
            ("mechanism", "kind"),
            "curve_markt",
            "mechanism.kind: 'curve_markt' is not known; did you mean `curve_market`?",
        ),
        (("mechanism", "curvature"), [1.0, -1.0], "mechanism.curvature: found -1; give numbers above zero"),
        (("mechanism", "values", "low"), 2.0, "mechanism.values.low: 2.0 lies above high = 1.0; give low <= high"),
        (("grid", "values.hihg"), [1.0], "grid.values.hihg: uniform has no such parameter; did you mean `high`?"),
        (("grid", "outside_slope"), [0.5, -1.0], "(at outside_slope = -1, values.high = 1 of the grid)"),
        (("grid", "training.stpes"), [5], "grid.training.stpes: unknown key; did you mean `steps`?"),
        (("treatments", 0, "conduct"), "nesh", "treatments[0].conduct: 'nesh' is not known; did you mean `nash`?"),
        (("treatments", 0, "name"), "../../etc", "study.toml: treatments[0].name"),
        (
            ("treatments", 1, "objective"),
            "joynt",
            "treatments[1].objective.kind: 'joynt' is not known; did you mean `joint`?",
        ),
        (
            ("treatments", 1, "training"),
            {"stpes": 3},
            "treatments[1].training.stpes: unknown key; did you mean `steps`?",
        ),
        (("treatments", 1, "name"), "nash", "treatments: the name `nash` is given twice"),
        (("hypotheses", 0, "against"), "nsh", "hypotheses[0].against: no treatment `nsh`; did you mean `nash`?"),
        (("hypotheses", 0, "outcome"), "welfar", "hypotheses[0].outcome: `welfar` is not among the outcomes"),
        (("correction",), "bonferroni", "correction: 'bonferroni' is not one of 'holm' or 'romano_wolf'"),
        (("calibration",), {}, "calibration.data: missing; add it"),
        (("rounds",), -1, "rounds: got -1; input should be greater than or equal to 1"),
    ],
)
def test_faults_are_located_and_remedied(path, to, expected):
    assert expected in refusal(changed(*path, to=to))


def test_text_that_is_no_toml_is_located():
    assert "not valid TOML" in refusal("title = \n") and "line 1" in refusal("title = \n")
    assert "study.toml: cannot be read" in refusal("x = " + "[" * 5000)


def test_too_many_cells_are_refused_before_they_are_made():
    assert "at most 100000" in refusal(changed("grid", "outside_slope", to=[0.5 + i for i in range(60_000)]))


def test_an_unknown_study_names_the_nearest():
    with pytest.raises(SpecificationError, match="did you mean `fish_market`"):
        load("fish_markt")
    with pytest.raises(SpecificationError, match="no such file"):
        load("nowhere/study.toml")


@settings(max_examples=250, deadline=None)
@given(surely_bad())
def test_malformed_specifications_are_located_errors(text):
    lines = refusal(text).splitlines()
    assert all(":" in line and "Traceback" not in line and len(line) < 2000 for line in lines)


@settings(max_examples=150, deadline=None)
@given(perhaps_bad())
def test_any_text_is_a_study_or_a_located_error(text):
    try:
        cells_of(parse(text, "study.toml"))
    except SpecificationError as error:
        assert ":" in str(error) and "Traceback" not in str(error)


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "values.csv").write_text("day,value\n1,0.5\n2,-0.25\n", encoding="utf-8")
    (tmp_path / "secret.csv").write_text("day,value\n1,7\n", encoding="utf-8")
    return home


def with_values(folder, **keys):
    tree = copy.deepcopy(GOOD)
    tree["mechanism"]["values"] = {"kind": "empirical", **keys}
    del tree["grid"]["values.high"]
    return toml(tree)


def test_a_column_of_a_file_beside_the_specification_is_data(folder):
    path = folder / "study.toml"
    path.write_text(with_values(folder, file="values.csv", column="value"), encoding="utf-8")
    first = cells_of(load(path))
    assert first[0].document["mechanism"]["values"]["values"] == [0.5, -0.25]
    (folder / "values.csv").write_text("day,value\n1,0.5\n2,-0.5\n", encoding="utf-8")
    assert first[0].hash != cells_of(load(path))[0].hash  # other data, another cell


@pytest.mark.parametrize(
    "name", ["../secret.csv", "/etc/passwd", "link.csv", "sub/../../secret.csv", "linked/secret.csv"]
)
def test_no_file_outside_the_folder_is_read(folder, name):
    (folder / "link.csv").symlink_to(folder.parent / "secret.csv")
    (folder / "linked").symlink_to(folder.parent)
    assert "lies outside the specification's folder" in refusal(with_values(folder, file=name, column="value"), folder)


@pytest.mark.parametrize(
    "keys, expected",
    [
        ({"file": "values.csv", "column": "valeu"}, "mechanism.values.column: got 'valeu'; did you mean `value`?"),
        ({"file": "valuez.csv", "column": "value"}, "mechanism.values.file: no such file 'valuez.csv'"),
        ({"file": 3, "column": "value"}, "mechanism.values.file: got 3"),
        ({"file": "values.csv", "colum": "value"}, "mechanism.values.colum: unknown key"),
        ({"file": "bad.csv", "column": "value"}, "line 2 of bad.csv has no number in `value`"),
        ({"file": "\0", "column": "value"}, "mechanism.values.file"),
    ],
)
def test_data_files_have_located_errors_too(folder, keys, expected):
    (folder / "bad.csv").write_text("value\nmany\n", encoding="utf-8")
    assert expected in refusal(with_values(folder, **keys), folder)


def test_a_specification_without_a_folder_reads_no_file(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert "name a CSV file beside the specification" in refusal(with_values(folder, file="values.csv", column="value"))


def test_nothing_in_a_specification_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in (
        "__import__('os').system('touch pwned')",
        "os.system",
        "dcg_econ.experiments.cli:main",
        "!!python/object",
    ):
        for path in (("mechanism", "kind"), ("treatments", 0, "conduct"), ("mechanism", "outside_slope")):
            refusal(changed(*path, to=text))
    assert os.listdir(tmp_path) == []


def test_the_schema_accepts_the_catalogue_and_knows_every_parameter():
    schema = json_schema()
    json.dumps(schema)
    market = next(t for t in schema["properties"]["mechanism"]["oneOf"] if t["title"] == "curve_market")
    assert set(market["properties"]) >= {"kind", "curvature", "values", "outside_slope", "price_bounds"}
    assert market["required"] == ["kind", "curvature"]
    assert "nash" in schema["$defs"]["Treatment"]["properties"]["conduct"]["oneOf"][0]["enum"]
    assert set(schema["required"]) == {"title", "sessions", "treatments"}
