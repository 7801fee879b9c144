"""What a service counts, for Prometheus: numbers, and not a word of what was asked."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shammah_mlx.events import Interaction

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Counters:
    """The numbers of one service, from its start."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        self._answers = counter("shammah_answers", "Questions answered, by who wrote the answer.", ["source"])
        self._seconds = Histogram(
            "shammah_answer_seconds",
            "Until the answer was whole.",
            ["source"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._audits = counter("shammah_audits", "Local answers that Claude was due to check.")
        self._calls = counter("shammah_claude_calls", "Questions that called Claude, for any reason.")
        self._spent = counter("shammah_spent_usd", "What these calls cost, where the price is known.")
        self.passed_on = counter("shammah_passed_on", "Requests that went to Claude as they came.")
        self.refused = counter("shammah_refused", "Requests for which there was no room.")
        self.present = gauge("shammah_requests", "Requests under way.")
        self._pending = gauge("shammah_pending", "Interactions that are journalled and not learnt yet.")
        self._learnt = gauge("shammah_learnt", "Interactions learnt since the start.")
        self._well = gauge("shammah_learning_well", "0 where learning has stopped.")

    def count(self, answered: Interaction, seconds: float) -> None:
        """Count one answer."""
        self._answers.labels(answered.source).inc()
        self._seconds.labels(answered.source).observe(seconds)
        self._audits.inc(answered.audit)
        self._calls.inc(answered.called_claude)
        self._spent.inc((answered.reply.cost_usd or 0.0) if answered.reply else 0.0)

    def note(self, *, pending: int, learnt: int, is_well: bool) -> None:
        """Note how the service stands."""
        self._pending.set(pending)
        self._learnt.set(learnt)
        self._well.set(is_well)
