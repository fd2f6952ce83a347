"""The report says "run as planned" only of what was registered and run, and otherwise names each difference."""

import copy
import hashlib

import pytest

from dcg_econ.analysis import ReportMaterial
from dcg_econ.analysis.deviations import deviation_blocks, deviations, fingerprint

SPECIFICATION = {
    "title": "What does chat buy?",
    "sessions": 6,
    "rounds": None,
    "training": {"steps": 100, "nets": None},
    "treatments": [{"name": name, "conduct": "learned", "training": {}} for name in ("silence", "chat", "equilibrium")],
    "grid": {"outside_slope": [0.5, 1.0, 2.0]},
    "outcomes": ["efficiency"],
    "hypotheses": [{"name": "H1", "outcome": "efficiency", "treatment": "chat", "against": "silence", "margin": None}],
}


def plan_of(specification):
    plan = {"specification": copy.deepcopy(specification), "sha256": fingerprint(specification), "version": "0.1.0"}
    return plan | {"rounds": 4, "registered": "2026-01-01 00:00:00 UTC"}


def material_of(study, plan, run=SPECIFICATION, **other):
    panel, cells = study
    given = {"registered": plan, "specification": run, "versions": {"dcg_econ": "0.1.0"}} | other
    return ReportMaterial("t", "q", panel, cells=cells, **given)


def found_in(material):
    return {row.item: (row.planned, row.as_run) for row in deviations(material, material.labelled()).itertuples()}


def test_what_was_run_as_planned_is_said_so(study):
    material = material_of(study, plan_of(SPECIFICATION))
    (text,) = deviation_blocks(material, material.labelled())
    assert text.startswith("Run as planned.") and fingerprint(SPECIFICATION) in text and "2026-01-01" in text


def test_the_hash_is_of_the_json_alone():
    text = '{"a":[1,0.5,null,"é"],"b":{}}'
    assert fingerprint({"b": {}, "a": [1, 0.5, None, "é"]}) == hashlib.sha256(text.encode()).hexdigest()


def fewer_sessions(tree):
    tree["sessions"] = 4
    return {"sessions": ("6", "4")}


def added_hypothesis(tree):
    tree["hypotheses"].append({"name": "H2", "outcome": "efficiency", "treatment": "chat", "against": "equilibrium"})
    return {"hypotheses.H2": ("not in it", "added: outcome = efficiency, treatment = chat, against = equilibrium")}


def changed_claim(tree):
    tree["hypotheses"][0] |= {"margin": 0.01}
    return {"hypotheses.H1.margin": ("not in it", "0.01")}


def dropped_treatment(tree):
    del tree["treatments"][0]
    return {"treatments.silence": ("conduct = learned", "dropped")}


def other_training(tree):
    tree["training"] |= {"steps": 50}
    tree["treatments"][1]["training"] = {"batch": 8}
    return {"training.steps": ("100", "50"), "treatments.chat.training.batch": ("not in it", "8")}


def other_grid(tree):
    tree["grid"]["outside_slope"] = [0.5]
    return {"grid.outside_slope": ("0.5, 1.0, 2.0", "0.5")}


def a_field_of_a_later_version(tree):
    tree["training"]["came_later"] = None
    return {}


CHANGES = [
    fewer_sessions,
    added_hypothesis,
    changed_claim,
    dropped_treatment,
    other_training,
    other_grid,
    a_field_of_a_later_version,
]


@pytest.mark.parametrize("change", CHANGES)
def test_each_field_that_differs_is_one_row(study, change):
    run = copy.deepcopy(SPECIFICATION)
    expected = change(run)
    assert found_in(material_of(study, plan_of(SPECIFICATION), run)) == expected


def test_the_order_of_what_has_names_is_no_deviation(study):
    run = copy.deepcopy(SPECIFICATION)
    run["treatments"].reverse()
    assert found_in(material_of(study, plan_of(SPECIFICATION), run)) == {}


def test_cells_and_sessions_that_are_not_there_are_deviations(make_study):
    panel, cells = make_study(failed=[("chat", 2.0)], sessions=5, rounds=3)
    rows = deviations(material_of((panel, cells), plan_of(SPECIFICATION)), panel)
    found = set(rows.itertuples(index=False, name=None))
    assert ("cell chat outside_slope=2.0", "6 sessions", "failed: ValueError: no trade") in found
    done = [cell for cell in cells["cell"] if cell != "chat outside_slope=2.0"]
    for cell in done:
        assert {(f"cell {cell}", "6 sessions", "5 sessions"), (f"cell {cell}", "4 rounds", "3 rounds")} <= found
    assert len(rows) == 1 + 2 * len(done) == 17


def test_sessions_that_the_rule_leaves_out_are_counted_and_no_deviation(make_study):
    study = make_study(diverged=[("silence", 0.5, 1), ("chat", 1.0, 0)])
    (text,) = deviation_blocks(material := material_of(study, plan_of(SPECIFICATION)), material.labelled())
    assert text.startswith("Run as planned.") and "2 sessions without finite welfare" in text


def test_a_plan_that_was_edited_and_another_version_are_told(study):
    plan = plan_of(SPECIFICATION)
    plan["specification"]["hypotheses"][0]["margin"] = 0.5
    run = copy.deepcopy(plan["specification"])
    found = found_in(material_of(study, plan, run, versions={"dcg_econ": "0.2.0"}))
    assert set(found) == {"the plan itself, edited since", "version of dcg_econ"}


def test_without_a_plan_there_is_no_section(study):
    for missing in ({"plan": None}, {"plan": plan_of(SPECIFICATION), "run": None}):
        material = material_of(study, **missing)
        assert deviation_blocks(material, material.labelled()) == () and deviations(material, study[0]).empty


def test_hostile_names_are_printed_and_nothing_is_pooled(study):
    run = copy.deepcopy(SPECIFICATION) | {"title": "<script>alert(1)</script> & 50% \\input{x} 🐟"}
    material = material_of(study, plan_of(SPECIFICATION), run)
    _, table = deviation_blocks(material, material.labelled())
    assert "<script>" not in table.to_html() and r"\textbackslash{}input" in table.to_latex()
    empty = study[0].head(0)
    assert deviations(material_of((empty, None), plan_of(SPECIFICATION)), empty).empty
