"""What starting costs: imports and the command line, each in processes of their own, in turn with the other side."""

from functools import partial

from tests.benchmarks.processes import printed
from tests.benchmarks.ratios import against, compare


def python(code):
    """A call that runs code and raises where it fails."""
    return partial(printed, "-c", code)


BENEATH = python("import jax, equinox, optimistix")


def test_import(put):
    put(against("import dcg_econ", "import jax, equinox, optimistix", compare(python("import dcg_econ"), BENEATH, 5)))
    used = python("import dcg_econ as dcg; dcg.solve; from dcg_econ.mechanisms import CurveMarket")
    work = "import dcg_econ, with solve and all mechanisms"
    put(against(work, "import jax, equinox, optimistix", compare(used, BENEATH, 5)))


def test_command_line(put):
    ours = python("import sys; sys.argv = ['dcg-econ', '--help']; from dcg_econ.experiments.cli import main; main()")
    put(against("dcg-econ --help", "import jax, equinox, optimistix", compare(ours, BENEATH, 5)))
