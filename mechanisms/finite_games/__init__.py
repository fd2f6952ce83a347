"""Finite games: normal forms, Nash and quantal response equilibria, and games that are repeated."""

from dcg_econ.mechanisms.finite_games.bimatrix import NashEquilibria as NashEquilibria
from dcg_econ.mechanisms.finite_games.bimatrix import nash as nash
from dcg_econ.mechanisms.finite_games.classics import asymmetric_matching_pennies as asymmetric_matching_pennies
from dcg_econ.mechanisms.finite_games.classics import chicken as chicken
from dcg_econ.mechanisms.finite_games.classics import matching_pennies as matching_pennies
from dcg_econ.mechanisms.finite_games.classics import prisoners_dilemma as prisoners_dilemma
from dcg_econ.mechanisms.finite_games.classics import stag_hunt as stag_hunt
from dcg_econ.mechanisms.finite_games.fit import LamFit as LamFit
from dcg_econ.mechanisms.finite_games.fit import fit_lam as fit_lam
from dcg_econ.mechanisms.finite_games.iterated import IteratedGame as IteratedGame
from dcg_econ.mechanisms.finite_games.normal_form import NormalForm as NormalForm
from dcg_econ.mechanisms.finite_games.normal_form import action_payoffs as action_payoffs
from dcg_econ.mechanisms.finite_games.normal_form import best_reply_gains as best_reply_gains
from dcg_econ.mechanisms.finite_games.normal_form import expected_payoffs as expected_payoffs
from dcg_econ.mechanisms.finite_games.normal_form import exploitability as exploitability
from dcg_econ.mechanisms.finite_games.normal_form import is_pure_equilibrium as is_pure_equilibrium
from dcg_econ.mechanisms.finite_games.one_shot import MatrixGame as MatrixGame
from dcg_econ.mechanisms.finite_games.one_shot import TandemGame as TandemGame
from dcg_econ.mechanisms.finite_games.quantal import QuantalPath as QuantalPath
from dcg_econ.mechanisms.finite_games.quantal import QuantalResponse as QuantalResponse
from dcg_econ.mechanisms.finite_games.quantal import quantal_path as quantal_path
from dcg_econ.mechanisms.finite_games.quantal import quantal_response as quantal_response
from dcg_econ.mechanisms.finite_games.tables import Tables as Tables
from dcg_econ.mechanisms.finite_games.tables import payoffs_of as payoffs_of
