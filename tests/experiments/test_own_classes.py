"""Classes of a user's own program in a study: part of the hash, and never mistaken for the package's."""

import inspect

import jax
import jax.numpy as jnp
import pytest

import dcg_econ as dcg
from dcg_econ._errors import InputError
from dcg_econ.experiments import SpecificationError
from dcg_econ.experiments.running import replicate_study
from dcg_econ.experiments.store import StoreError
from dcg_econ.learning.train import Run
from dcg_econ.mechanisms import CurveMarket, QuantityMarket
from tests.experiments.own_classes import Envious, Joint


def study(objective, folder=None, **changes):
    market = QuantityMarket(jnp.ones(2))
    arguments = {"sessions": 2, "rounds": 2, "steps": 2, "batch": 2, "width": 2, "records": 1, "folder": folder}
    return dcg.Study(market, {"learned": dcg.Treatment(objective=objective)}, **(arguments | changes))


@pytest.mark.slow
def test_a_class_of_ones_own_is_run_and_told_apart(tmp_path):
    ours = study(Envious(0.2), tmp_path / "out")
    assert ours.cells[0].document["objective"] == {"kind": "envious", "envy": 0.2}
    panel = ours.run(quiet=True)
    assert len(panel) == 2 * 2 * 3 and panel["payoff"].notna().all()
    with pytest.raises(StoreError, match=r"classes of its own program \(envious\)"):
        replicate_study(tmp_path / "out", tmp_path / "again", quiet=True)


def test_another_source_is_another_cell(monkeypatch):
    first = study(Envious()).cells[0].hash
    assert study(Envious()).cells[0].hash == first
    source = inspect.getsource
    monkeypatch.setattr(inspect, "getsource", lambda cls: source(cls).replace("1 +", "2 +"))
    assert study(Envious()).cells[0].hash != first


def test_a_name_of_the_package_is_refused():
    with pytest.raises(SpecificationError, match="Joint: dcg_econ has a class of that name"):
        study(Joint())


def test_a_class_without_a_source_is_refused():
    made = type("Made", (Envious,), {"__module__": "somewhere", "__annotations__": {}})
    with pytest.raises(SpecificationError, match="Made: its source cannot be read"):
        study(made())


def test_workers_are_not_asked_for_a_class_of_the_script(tmp_path, monkeypatch):
    ours = study(Envious(), tmp_path / "out")
    monkeypatch.setattr(Envious, "__module__", "__main__")
    with pytest.raises(InputError, match="workers: Envious is defined in the script itself; move it to a module"):
        ours.run(client=object(), quiet=True)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"grid": {"outside_slope": 0.5}}, "grid.outside_slope: got 0.5; give a list of values"),
        ({"grid": 3}, "grid: give a dict"),
        ({"grid": {"outside_slope": [0.5, 1, 0.5]}}, r"grid.outside_slope\[2\]: 0.5 is there already"),
        ({"grid": {"curvature": [[1, 1], [1, 1.0]]}}, r"grid.curvature\[1\]: 2x1 is there already"),
        ({"hypotheses": ["x"]}, r"hypotheses\[0\]: got 'x'"),
        ({"outcomes": "eficiency"}, r"outcomes\[0\]: no panel has `eficiency`; did you mean `efficiency`"),
        ({"sessions": 2.5}, "sessions: got 2.5"),
    ],
)
def test_arguments_are_named_when_they_are_wrong(changes, expected):
    with pytest.raises(SpecificationError, match=expected):
        study(dcg.Selfish(), **changes)


def test_arguments_of_run_too(tmp_path):
    ours = study(dcg.Selfish(), tmp_path / "out")
    for arguments, expected in (
        ({"retries": -1}, "retries: -1"),
        ({"workers": 0}, "workers: 0"),
        ({"workers": 1, "scheduler": "tcp://127.0.0.1:1"}, "give one of workers"),
    ):
        with pytest.raises(InputError, match=expected):
            ours.run(quiet=True, **arguments)


def test_priors_in_a_grid_are_told_apart():
    ours = study(dcg.Selfish(), grid={"values": [dcg.Uniform(-1, 1), dcg.Uniform(-1.0000001, 1)]})
    assert [cell.name for cell in ours.cells] == ["learned.values=uniform_-1_1", "learned.values=uniform_-1.0000001_1"]


def test_numbers_of_other_libraries_are_numbers():
    assert study(dcg.Selfish(), sessions=jnp.asarray(2)).specification.sessions == 2


@pytest.mark.slow
def test_failed_cells_are_told_to_who_runs_a_study_from_python(tmp_path):
    ours = dcg.Study(
        CurveMarket(jnp.ones(2)),
        {"nash": "nash", "fixed": dcg.ProportionalDemand(0.5)},
        sessions=2,
        rounds=2,
        folder=tmp_path / "o",
    )
    with pytest.warns(UserWarning, match=r"2 cells: 1 done, 1 failed; .* see status\(\)"):
        panel = ours.run(quiet=True)
    assert set(panel["treatment"]) == {"fixed"} and panel["nash_welfare"].isna().all()
    assert "EquilibriumError" in ours.status().set_index("cell").loc["nash", "error"]


@pytest.mark.slow
def test_results_show_themselves_in_a_notebook():
    market = QuantityMarket(jnp.ones(2))
    agents, one = dcg.Shared(dcg.QuantityAgent(key=jax.random.key(0), width=2)), jnp.ones((1, 2))
    run = Run(agents, jnp.arange(2), one, one, one, one, one, one)
    for shown in (dcg.solve(market), dcg.sensitivity(market, lambda eq: eq.efficiency), run, study(dcg.Selfish())):
        assert shown._repr_html_().count("<table") >= 1
