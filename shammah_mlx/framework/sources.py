"""Say what differs between the sources of drafts where decisions are made."""

from typing import NamedTuple

from shammah_mlx.events import DraftSource


class SourceRules(NamedTuple):
    """How drafts of one source are decided on."""

    is_scheduled: bool = True  # p_local and p_accept must exceed the schedule's minimum; more for destructive commands
    is_written: bool = False  # a draft takes seconds to write; tried from `write_threshold`
    needs_counts: bool = True  # measured drafts are counted before any is served; else its curve alone decides
    ends_checks: bool = False  # accepted drafts are no longer checked once their mean rate is known to be low
    passes_checks: bool = True  # one that the Validator doubts may be served if the judge lets it pass
    is_audited_by_doubt: bool = True  # else at the schedule's rate: what it may miss does not depend on the score


SOURCE_RULES: dict[DraftSource, SourceRules] = {
    # Claude's own answer to the same question: nothing need be known to give it.
    "repeat": SourceRules(is_scheduled=False, needs_counts=False, ends_checks=True, is_audited_by_doubt=False),
    "recall": SourceRules(),
    # Claude said it under another model or system prompt: only what was measured in this context lets it be served.
    "other_model": SourceRules(passes_checks=False),
    "other_prompt": SourceRules(passes_checks=False),
    "decoder": SourceRules(is_written=True),
}
