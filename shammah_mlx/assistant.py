"""One home, open: answer a query, journal it, learn from it, save."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from shammah_mlx import content, forgetting, loop, metrics, policy, selection, tokens
from shammah_mlx.apprentice import CONCERNS, WEIGHED, Apprentice
from shammah_mlx.backend import Arrays, load_arrays, mx
from shammah_mlx.config import Config
from shammah_mlx.divergence import make_meter
from shammah_mlx.embedder import LazyEmbedder
from shammah_mlx.ensemble import Ensemble
from shammah_mlx.errors import BadInputError, BadStateError
from shammah_mlx.events import DraftSource, Exchange, Interaction, Outage, Query, Wish
from shammah_mlx.imitator import Imitator
from shammah_mlx.journal import Journal
from shammah_mlx.lock import locked
from shammah_mlx.metrics import Tally
from shammah_mlx.selection import Selection
from shammah_mlx.states import Manifest, States
from shammah_mlx.targets import Target, make_targets
from shammah_mlx.teacher import Show, Teacher
from shammah_mlx.weights import Weights, find_embedder


class Assistant:
    """Own a home for as long as it is open; a context manager.

    `save_every` is how many queries may pass between saves; None: nothing is saved, for a home that is thrown away. A
    crash loses none: what the journal holds and the saved models have not seen is learnt again. `on_wait` is called
    once if another process has the home.

    Raises:
        BadStateError: the home is in use, damaged, or was made by another preset.
        WeightsError: the pretrained weights are missing.
    """

    def __init__(
        self,
        home: Path,
        config: Config,
        teacher: Teacher,
        weights: Weights,
        *,
        save_every: int | None = 1,
        on_wait: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self._home, self._teacher, self._clock = home, teacher, clock
        self._save_every = save_every
        self._states = States(home, config.state)
        embedder = find_embedder(config.embedder, weights)
        self._versions = versions(config, embedder)
        self._unsaved = 0
        with ExitStack() as opened:
            opened.enter_context(locked(home, config, on_wait))
            self._journal = opened.enter_context(closing(Journal(home / "journal.db")))
            self._states.check_preset(config.preset)
            forgetting.finish(self._journal, self._states)
            embed = LazyEmbedder(embedder)
            self.meter = make_meter(config.divergence, embed)
            self.models = self._make_models(weights, embed)
            self._cursor, self._tally, self._selection = self._load()
            metrics.trim(_metrics_path(home), self._tally.queries)
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._opened:
            if self._unsaved and self._save_every is not None and error is None:
                self.save()

    def ask(
        self,
        query: Query,
        show: Show | None = None,
        *,
        wish: Wish | None = None,
        kept: bool = True,
        since: float | None = None,
    ) -> Interaction | Outage:
        """Answer one query and journal it; nothing is learnt yet.

        `wish` is who the user asked for. What is not `kept` is answered, and leaves no trace. `since` is when the user
        began to wait, by `time.perf_counter`, if that was before this call.
        """
        since = time.perf_counter() if since is None else since
        asked = msgspec.structs.replace(
            query,
            model=query.model or self.config.teacher.model,
            max_tokens=query.max_tokens or self.config.teacher.max_tokens,
            at=self._clock(),
        )
        number = self._next_number()
        seen = self._tally.queries + self._journal.queries_after(self._cursor)
        doubt = metrics.usual_doubt(self._tally, self.config.policy)
        turn = policy.take_turn(
            asked, number, seen, self.config, wish=wish, usual_doubt=doubt, selection=self._selection, kept=kept
        )
        turn = msgspec.structs.replace(turn, open_audits=len(self._journal.open_audits()))
        answered = loop.answer(turn, self.models, self._teacher, self.meter, self.config, show)
        if isinstance(answered, Outage):
            return answered
        grounds = msgspec.structs.replace(self.models.grounds(asked), versions=self._versions)
        ms = 1000.0 * (time.perf_counter() - since)
        interaction = msgspec.structs.replace(answered, grounds=grounds, ms=ms)
        if turn.kept:
            self._journal.write(interaction)
        return interaction

    def make_late_audits(self, *, reached: bool) -> int:
        """Make the audits that were due when Claude could not be had, and journal them; return how many.

        `reached`: Claude can be asked now. One that is too old, or of other parts than today's, is given up, and counts
        as bad.
        """
        made = 0
        for number, at in self._journal.open_audits()[: self.config.risk.late_audits]:
            served = self._journal.read(number)
            lost = self._clock() > at + self.config.risk.audit_wait_s or served.grounds.versions != self._versions
            if lost:
                reply = None
            elif reached:
                reply = self._teacher.ask(served.turn.query)
            else:
                continue
            if isinstance(reply, Outage):
                break
            if reply is not None and not reply.complete:
                continue
            turn = msgspec.structs.replace(served.turn, number=self._next_number())
            late = Interaction.late(turn, served, served.drafts, reply)
            self._journal.write(late)
            made += 1
        return made

    def _next_number(self) -> int:
        return max(self._journal.last_number(), self._cursor) + 1  # the journal may be gone, the models not

    def continued(self, text: str, system: str | None = None, model: str | None = None) -> Query:
        """Return a query that goes on from the last one asked, with its system prompt and model if no others are given.

        Raises:
            BadInputError: nothing was asked yet.
        """
        last = self._journal.last()
        if last is None:
            raise BadInputError("there is no conversation to continue", "ask without -c first")
        before = last.turn.query
        said = [Exchange(before.text, last.answer)] if last.answer.strip() else []  # a refusal says nothing
        history = (*before.history, *said)[-self.config.max_history :]
        while history and sum(len(turn.question) + len(turn.answer) for turn in history) > self.config.max_query_bytes:
            history = history[1:]
        return Query(text, system or before.system, model or before.model, before.max_tokens, history=history)

    def pending(self) -> int:
        """Return how many interactions are journalled and not yet learnt."""
        return self._journal.count_after(self._cursor)

    def learn_pending(self, advance: Callable[[], None] = lambda: None) -> list[Interaction]:
        """Observe, train on and count all that is journalled and not yet learnt; return it as observed.

        `advance` is called after each.
        """
        learnt = []
        for pending in self._journal.after(self._cursor):
            interaction = loop.observe(pending, self.models, self.meter, self.config)
            self._journal.write(interaction)
            steps = loop.learn(interaction, self.models, self.config)
            self._cursor = interaction.turn.number
            self._tally = metrics.count(self._tally, interaction, steps, self.config)
            void = [source for source in CONCERNS if self._is_void(source, interaction)]
            self._selection = selection.learnt(self._selection, interaction, self.config, void)
            if interaction.late_for is None:  # a line a query
                metrics.append(_metrics_path(self._home), metrics.line(self._tally, interaction, steps, self.config))
            self._unsaved += 1
            if self._is_save_due():
                self.save()
            learnt.append(interaction)
            advance()
        return learnt

    def _make_models(self, weights: Weights, embed: LazyEmbedder) -> Ensemble | Apprentice:
        if self.config.generator == "scratch":
            return Ensemble(self.config, weights)
        has_decoder = self.config.generator == "recall+decoder"
        folder = self.config.lora.model
        if has_decoder and folder.startswith(("/", ".", "~")) and not Path(folder).expanduser().is_dir():
            raise BadInputError(f"there is no folder {folder}", "mend lora.model in config.toml")
        decoder = Imitator(weights.decoder, self.config, self._journal.read) if has_decoder else None
        return Apprentice(self.config, self._versions, embed, self.meter, self._journal, decoder)

    def _is_void(self, source: DraftSource, interaction: Interaction) -> bool:
        """Say whether what was recorded was scored or measured by other parts than today's."""
        recorded = interaction.grounds.versions
        return any(recorded.get(name) != self._versions[name] for name in CONCERNS[source])

    def _is_save_due(self) -> bool:
        if self._save_every is None:
            return False
        return self._unsaved >= self._save_every or self._tally.queries % self.config.state.checkpoint_every == 0

    def _load(self) -> tuple[int, Tally, Selection]:
        manifest, nothing = self._states.manifest(), selection.no_evidence(self.config)
        self._journal.unremember(manifest.cursor + 1 if manifest else 0)
        if manifest is None:
            return 0, Tally(), nothing
        files = self._states.checked_files()
        self._states.complete(manifest.tally)
        try:
            changed = {name for name, version in self._versions.items() if manifest.versions.get(name) != version}
            is_whole = self.models.load({stem: load_arrays(path) for stem, path in files.items()}, changed)
        except (ValueError, RuntimeError) as error:
            raise BadStateError(
                f"the models in {self._home} do not fit the settings: {error}",
                "undo the change in config.toml, or use another --home",
            ) from error
        if not is_whole:
            self._journal.read(manifest.cursor)  # without the journal nothing can be learnt again
            self.models.relearn(self._replies(manifest.cursor))
        kept = {source: found for source, found in manifest.selection.items() if not CONCERNS[source] & changed}
        return manifest.cursor, manifest.tally, {source: kept.get(source, new) for source, new in nothing.items()}

    def _replies(self, last: int) -> Iterator[Target]:
        """Yield Claude's complete replies up to the interaction `last`, as targets."""
        for interaction in self._journal.after(0):
            if interaction.turn.number <= last:
                targets = make_targets(interaction, self.config)
                yield from (target for target in targets if target.role == "generator")

    def save(self) -> None:
        """Write all that was learnt to the home, as one."""
        write = {stem: partial(_write_arrays, arrays) for stem, arrays in self.models.state().items()}
        manifest = Manifest(self.config.preset, self._cursor, self._tally, {}, self._versions, dict(self._selection))
        self._states.save(write, manifest, self.models.adapter_config())
        self._unsaved = 0


def versions(config: Config, embedder: Path) -> dict[str, str]:
    """Return what evidence holds for: with another of these it starts anew."""
    size = (embedder / "model.safetensors").stat().st_size
    meter, lora = config.divergence, config.lora
    return {
        "embedder": f"{embedder.name} {size}",
        "meter": f"{meter.kind} {meter.threshold} {content.RULES}",
        "evidence": WEIGHED,
        "prompt": tokens.PROMPT,
        "decoder": f"{config.generator} {lora.model} {lora.rank} {lora.scale}",
    }


def _write_arrays(arrays: Arrays, file: BinaryIO) -> None:
    """Write arrays so that the same arrays give the same bytes.

    Through a Python file a full disk is an OSError; given a path, MLX makes it a RuntimeError like any other.
    """
    mx.save_safetensors(file, dict(sorted(arrays.items())))


def roll_back(home: Path, config: Config, queries: int, on_wait: Callable[[], None] = lambda: None) -> int:
    """Return to the checkpoint of that query count; return how many later interactions were set aside.

    Later checkpoints go: what they were made from is no longer part of the home's past.

    Raises:
        BadStateError: there is no such checkpoint, it is damaged, or the home is in use.
    """
    states = States(home, config.state)
    states.check_is_checkpoint(queries)
    with locked(home, config, on_wait), closing(Journal(home / "journal.db")) as journal:
        forgetting.finish(journal, states)
        # Models first: should the process die in between, what was to be set aside is learnt again, and nothing is odd.
        manifest = states.roll_back(queries)
        metrics.trim(_metrics_path(home), manifest.tally.queries)
        return journal.set_aside_after(manifest.cursor)


def _metrics_path(home: Path) -> Path:
    return home / "metrics" / "training.jsonl"
