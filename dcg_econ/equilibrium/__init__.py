"""Solving, regret, sensitivity, clearing."""

from dcg_econ.equilibrium.regret import Cubature as Cubature
from dcg_econ.equilibrium.regret import Draws as Draws
from dcg_econ.equilibrium.regret import Regret as Regret
from dcg_econ.equilibrium.regret import regret as regret
from dcg_econ.equilibrium.result import Equilibrium as Equilibrium
from dcg_econ.equilibrium.sensitivity import Sensitivity as Sensitivity
from dcg_econ.equilibrium.sensitivity import sensitivity as sensitivity
from dcg_econ.equilibrium.solve import solve as solve
