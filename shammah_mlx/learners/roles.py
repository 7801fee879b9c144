"""The protocol that a home needs of Router, Generator and Validator: the loop's, plus saving and loading."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol, Self

from shammah_mlx.events import DecisionContext, Query
from shammah_mlx.framework.loop import Roles
from shammah_mlx.framework.targets import Target, Withdrawal
from shammah_mlx.learners.unlearnt import Unlearnt
from shammah_mlx.models.backend import Arrays


class PersistentRoles(Roles, Protocol):
    """The three roles with everything they have learnt; `hybrid` and `scratch` implement it."""

    def decision_context(self, query: Query) -> DecisionContext:  # noqa: ARG002  a Router may read the text alone
        """Return what the Router used beside the text of the query; by default nothing."""
        return DecisionContext()

    def ahead(self, unlearnt: Unlearnt) -> Self:  # noqa: ARG002  roles without a memory have nothing to look up
        """Return the roles as they answer a query of which more is journalled than they have learnt."""
        return self

    def state(self) -> dict[str, Arrays]:
        """Return everything learnt, by file: `router`, `generator`, `validator`, `optimizer_state`."""

    def saved(self) -> None:
        """Note that everything learnt was saved, so that it need not be held in memory."""

    def load(
        self,
        state: Mapping[str, Arrays],
        changed: Collection[str],
        replies: Callable[[], Iterable[Target | Withdrawal]],
    ) -> None:
        """Continue from what `state` returned.

        `changed` names the versions that have changed since then; whatever depends on them starts anew. `replies`
        yields Claude's past replies as targets, and what was taken back, for roles that have to learn them again.

        Raises:
            ValueError: the arrays do not fit these models.
        """

    def distance_from(self, earlier: Mapping[str, Arrays]) -> dict[str, float]:
        """Return how far each role's weights have moved since an earlier `state`, in L2."""
