"""What a game and a mechanism must say about themselves, so that playing, learning, solving and regret are written once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float


class AbstractGame(eqx.Module):
    """What can be played, and learned, with private information: no talk, no learning, no state.

    A *profile* maps what each of the N players knows to the players' reports; analytic strategies and learned agents
    both are profiles. `types` is one draw of everything private and of nature, in the game's own type.
    """

    @property
    @abstractmethod
    def players(self) -> tuple[str, ...]:
        """The names of the N strategic players."""

    @property
    @abstractmethod
    def continuous(self) -> bool:
        """Whether payoffs are continuous in the reports, so that a play's derivative is an unbiased gradient."""

    @abstractmethod
    def sample_types(self, key: Array) -> Any:
        """One draw of all types (and of nature's moves)."""

    @abstractmethod
    def known(self, types: Any) -> Any:
        """What each player knows when it reports: arrays with leading axis N, the argument of a profile."""

    @abstractmethod
    def handed_in(self, actions: Any, types: Any) -> Any:
        """The reports the mechanism works on: the players' `actions`, with nature's part of `types` added."""

    def reports(self, profile: Any, types: Any) -> Any:
        """What is handed in when every player follows `profile` on what it knows of `types`."""
        return self.handed_in(profile(self.known(types)), types)

    @abstractmethod
    def outcome(self, reports: Any) -> Any:
        """The outcome of the reports: prices, allocations, transfers."""

    @abstractmethod
    def settled(self, outcome: Any) -> Array:
        """Whether the mechanism found an outcome at all (a price inside its bounds, for example)."""

    @abstractmethod
    def payoffs(self, types: Any, outcome: Any) -> Float[Array, " N"]:
        """The players' payoffs."""

    @abstractmethod
    def welfare(self, types: Any, outcome: Any) -> Float[Array, ""]:
        """The surplus of everyone, non-strategic sides included."""

    @abstractmethod
    def first_best(self, types: Any) -> Float[Array, ""]:
        """The largest welfare that any allocation gives at these types."""


class AbstractMechanism(AbstractGame):
    """A pure game form whose equilibria are known by their conditions, and whose regret can be computed."""

    @abstractmethod
    def spliced(self, own: Any, player: Any, others: Any) -> Any:
        """Types in which `player` has what it has in `own`, and everybody else (and nature) what they have in `others`:
        a draw from what `player` believes, since players' types are independent."""

    @abstractmethod
    def situations(self, profile: Any) -> tuple[Any, Float[Array, " k"]]:
        """Types at k nodes (leading axis) and weights, over which regret of a `profile` in closed form takes its outer
        expectation: each player's own types follow their distribution, however players' types are paired."""

    @abstractmethod
    def expectations(self, profile: Any) -> tuple[Float[Array, " N"], Float[Array, ""]]:
        """Expected payoffs and expected welfare when every player follows `profile`, by quadrature."""

    @abstractmethod
    def expected_first_best(self) -> Float[Array, ""]:
        """The expectation of `first_best` over types, by quadrature."""

    @abstractmethod
    def initial_profile(self) -> Any:
        """Where `solve` starts, in the strategy class it solves in by default."""

    @abstractmethod
    def bind(self, profile: Any) -> Any:
        """The same profile with what it takes over from the mechanism (bounds, true preferences) at the mechanism's present
        numbers, so that derivatives see them; itself if nothing."""

    @abstractmethod
    def residuals(self, own: Any, others: Any) -> Float[Array, "g m"]:
        """First-order conditions, at the m collocation nodes of the strategy, of each player (or each role, where all of
        a role use one strategy) that follows `own` while the others follow `others`. An equilibrium is a profile p with
        residuals(p, p) = 0; the split tells best replies, the root in `own`, from equilibria."""

    @abstractmethod
    def admissible(self, profile: Any) -> Array:
        """Whether a root of the first-order conditions is a profile that can be played at all."""

    @abstractmethod
    def prepared(self, profile: Any) -> Any:
        """The same profile, carrying what many calls of `facing` would compute each time; itself if nothing."""

    @abstractmethod
    def facing(self, profile: Any, player: Any, types: Any) -> Callable[[Float[Array, ""]], Float[Array, ""]]:
        """What a player faces: its payoff as a function of a scalar report against the others' `profile`, the expectation
        over what it does not know taken inside (nothing is left to take where the equilibrium is ex post). What does not
        depend on the report is computed once, here."""

    def interim_payoff(self, profile: Any, player: Any, types: Any, report: Float[Array, ""]) -> Float[Array, ""]:
        """The player's payoff from one scalar `report`, as `facing` says."""
        return self.facing(profile, player, types)(report)

    @abstractmethod
    def own_report(self, profile: Any, player: Any, types: Any) -> Float[Array, ""]:
        """The scalar report that `profile` itself makes there: `interim_payoff` at it is the payoff of following."""

    @abstractmethod
    def report_grid(self, profile: Any, player: Any, types: Any) -> Float[Array, " r"]:
        """Reports in increasing order, among which and around the best of which a best deviation is searched for."""

    @abstractmethod
    def no_equilibrium(self) -> str:
        """A sentence for the user when no equilibrium was found: what may be wrong and what to change."""

    @abstractmethod
    def selection(self, profile: Any) -> str:
        """Which equilibrium `solve` finds from a start like `profile`, where there can be several."""
