"""Arrows run one way: core <- mechanisms <- experiments; analysis stands alone and reads data frames."""

import graphlib

import pytest

from tests.house.tree import FOLDERS, ROOT, imports, modules

JAX = {"jax", "jaxlib", "equinox", "optax", "optimistix", "lineax"}
LAYERS = ("core", *FOLDERS)
MAY_IMPORT = {
    "core": {"core"},
    "mechanisms": {"core", "mechanisms"},
    "experiments": {"face", "core", "mechanisms", "experiments", "analysis"},
    "analysis": {"analysis"},
}
NOT_INSTALLED = {*FOLDERS, "tests", "papers"}


def layer(name):
    """core, mechanisms, experiments, analysis; `face` for dcg_econ itself; none for a module of others."""
    parts = name.split(".")
    if parts[0] != "dcg_econ":
        return "not installed" if parts[0] in NOT_INSTALLED else None
    if len(parts) == 1:
        return "face"
    if parts[1] in ("tests", "papers", "dcg_econ"):
        return "not installed"
    return parts[1] if parts[1] in FOLDERS else "core"


def found_imports(known):
    return [(name, path.relative_to(ROOT), item) for name, path in known.items() for item in imports(path, set(known))]


@pytest.fixture(scope="module")
def known():
    return modules()


@pytest.mark.parametrize("of", LAYERS)
def test_a_layer_imports_only_what_lies_below_it(of, known):
    assert any(layer(name) == of for name in known), f"no module in {of}"
    wrong = [
        f"{path}:{item.line} imports {item.target}"
        for name, path, item in found_imports(known)
        if layer(name) == of and layer(item.target) not in MAY_IMPORT[of] | {None}
    ]
    assert wrong == []


def test_the_face_imports_nothing_of_the_package_before_it_is_asked(known):
    wrong = [
        f"{path}:{item.line} imports {item.target}"
        for name, path, item in found_imports(known)
        if name == "dcg_econ" and item.at_module_level and layer(item.target) is not None
    ]
    assert "dcg_econ" in known
    assert wrong == []


def test_analysis_leaves_jax_to_functions(known):
    wrong = [
        f"{path}:{item.line} imports {item.target}"
        for name, path, item in found_imports(known)
        if layer(name) == "analysis" and item.at_module_level and item.target.split(".")[0] in JAX
    ]
    assert wrong == []


def test_imports_are_absolute(known):
    assert [f"{path}:{item.line}" for _, path, item in found_imports(known) if item.relative] == []


def test_the_folders_of_the_core_form_no_cycle(known):
    graph = {}
    for name, _, item in found_imports(known):
        if layer(name) == layer(item.target) == "core":
            source, target = name.split(".")[1], item.target.split(".")[1]
            if source != target:
                graph.setdefault(source, set()).add(target)
    try:
        order = list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))
    assert set(graph) <= set(order)
