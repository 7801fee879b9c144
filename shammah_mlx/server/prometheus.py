"""The metrics of a service, for Prometheus: numbers only, never the text of a query."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shammah_mlx.events import Interaction

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Counters:
    """The metrics of one service since it started."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        self._answers = counter("shammah_answers", "Questions answered, by the source of the answer.", ["source"])
        self._seconds = Histogram(
            "shammah_answer_seconds",
            "Seconds from the question to the complete answer.",
            ["source"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._audits = counter("shammah_audits", "Local answers drawn for an audit by Claude.")
        self._calls = counter("shammah_claude_calls", "Questions for which Claude was called, for any reason.")
        self._spent = counter("shammah_spent_usd", "Cost of all calls in US dollars, where the price is known.")
        self.passed_on = counter("shammah_passed_on", "Requests passed on to Claude unchanged.")
        self.refused = counter("shammah_refused", "Requests refused because all slots were taken.")
        self.present = gauge("shammah_requests", "Requests in progress.")
        self._pending = gauge("shammah_pending", "Interactions journalled but not learnt yet.")
        self._learnt = gauge("shammah_learnt", "Interactions learnt since the service started.")
        self._well = gauge("shammah_learning_well", "1 while learning works, 0 when it has stopped.")

    def count(self, answered: Interaction, seconds: float) -> None:
        """Count one answer."""
        self._answers.labels(answered.source).inc()
        self._seconds.labels(answered.source).observe(seconds)
        self._audits.inc(answered.audit)
        self._calls.inc(answered.called_claude)
        self._spent.inc(answered.cost_usd or 0.0)

    def count_passed_on(self, cost_usd: float | None) -> None:
        """Count one request that was passed on and charged for."""
        self._spent.inc(cost_usd or 0.0)

    def note(self, *, pending: int, learnt: int, is_well: bool) -> None:
        """Set the gauges to the service's present state."""
        self._pending.set(pending)
        self._learnt.set(learnt)
        self._well.set(is_well)
