"""Scripted stand-ins for the loop's boundaries: no MLX, no disk, no network."""

from shammah_mlx.events import Draft, DraftSource, Exchange, ForcedSource, Query, Reply, Request, Show, Step
from shammah_mlx.framework.loop import GiveWay, show_nobody
from shammah_mlx.framework.targets import Target, Withdrawal


class ScriptedRoles:
    """Three roles that say what they are told to, and note every call."""

    def __init__(
        self,
        p_local: float | dict[DraftSource, float] = 0.0,
        draft: str | None = "a draft",
        p_accept: float | dict[DraftSource, float] = 0.0,
    ) -> None:
        self._p_locals: dict[DraftSource, float] = p_local if isinstance(p_local, dict) else {"decoder": p_local}
        self._p_accepts = p_accept if isinstance(p_accept, dict) else dict.fromkeys(self._p_locals, p_accept)
        self._draft = draft
        self.calls: list[str] = []
        self.steps: list[tuple[Target, float]] = []

    def p_local(self, query: Query) -> dict[DraftSource, float]:
        self.calls.append("route")
        return self._p_locals

    def draft(
        self, query: Query, source: DraftSource, show: Show = show_nobody, give_way: GiveWay | None = None
    ) -> Draft | None:
        self.calls.append("draft")
        if self._draft is None:
            return None
        show(self._draft)
        return Draft(self._draft, source)

    def p_accept(self, query: Query, draft: Draft) -> float:
        self.calls.append("judge")
        return self._p_accepts[draft.source]

    def answered(self, query: Query, draft: Draft) -> Exchange:
        return Exchange(query.text, draft.text)

    def step(self, target: Target, rate: float, give_way: GiveWay) -> Step:
        self.calls.append(f"train {target.role}")
        self.steps.append((target, rate))
        return Step(target.role, 1.0, applied=True)

    def withdraw(self, withdrawal: Withdrawal) -> None:
        self.calls.append("withdraw")


def make_request(seen: int = 1000, *, sampled: bool = False, forced_source: ForcedSource | None = None) -> Request:
    return Request(
        number=seen + 1,
        seen=seen,
        query=Query("what is a monad?", at=1e9),
        forced_source=forced_source,
        audit_draw=0.05 if sampled else 0.95,
        audit_rate=0.1,
        shadow_rates={"decoder": 0.1},
    )


def reply(text: str = "Claude's answer", stop_reason: str | None = "end_turn") -> Reply:
    return Reply(text, "claude-test", stop_reason, 10, 20, 0.001)
