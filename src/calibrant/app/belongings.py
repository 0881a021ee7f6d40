"""Finds what belongs to a user or an episode, in the record and in the catalogue, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from calibrant.store.base import Events, Quarantined
from calibrant.store.catalogue import Catalogue
from calibrant.store.erasing import Doomed, ErasableKind, FoundRow
from calibrant.store.frame import Undecodable
from calibrant.store.portable import pages
from calibrant.store.quarantine import record_of
from calibrant.store.sql_erasure import files_in
from calibrant.types.erasure import Whose
from calibrant.types.replay import EPISODE_TAG
from calibrant.types.rows import Begun, FeedbackRecord, InferenceRow, Inferred

__all__ = ["Belongings"]

_LOOK: Final = 2_000
"""Rows that one statement looks through."""
_STEP: Final = 100


@dataclass(slots=True)
class Belongings:
    """What was found. Ids are held in memory, some hundred bytes for each inference."""

    whose: Whose
    inferences: set[str] = field(default_factory=set[str])
    running: int = 0
    """Inferences that are streams which have not ended."""
    calls: int = 0
    episodes: set[str] = field(default_factory=set[str])
    feedback: set[str] = field(default_factory=set[str])
    datapoints: dict[str, Doomed] = field(default_factory=dict[str, Doomed])
    elements: dict[str, None] = field(default_factory=dict[str, None])
    workflow_episodes: tuple[str, ...] = ()
    files: dict[str, float] = field(default_factory=dict[str, float])
    """When the last inference was over that names the file, in Unix milliseconds."""
    files_kept: int = 0
    models: set[str] = field(default_factory=set[str])
    quarantined: list[int] = field(default_factory=list[int])
    unread: int = 0
    """Entries of the quarantine of which nobody can tell whose they are."""

    def find(self, events: Events, catalogue: Catalogue, now_ms: int) -> None:
        """Look everywhere."""
        for rows in self._belonging(events, "inferences"):
            ids = [row.id for row in rows]
            episodes = list(dict.fromkeys(row.episode_id for row in rows))
            self.inferences.update(ids)
            self.episodes.update(episodes)
            self.running += sum(row.status == "running" for row in rows)
            calls = events.calls_of(ids)
            self.calls += sum(calls.values())
            self.models.update(calls)
            self.feedback.update(events.feedback_of([*ids, *episodes]))
            self._name_files(events, rows)
        if self.whose.episode_id is not None:
            self.episodes.add(self.whose.episode_id)
            self.feedback.update(events.feedback_of((self.whose.episode_id,)))
        self.feedback.update(row.id for page in self._belonging(events, "feedback") for row in page)
        if catalogue.exists():
            self._find_in_catalogue(catalogue, now_ms)
        self._find_in_quarantine(events)
        self._keep_files_of_others(events, catalogue)

    def _belonging(self, events: Events, kind: ErasableKind) -> Iterator[Sequence[FoundRow]]:
        after: str | None = ""
        while after is not None:
            found = events.erasable(self.whose, kind, after=after, limit=_LOOK)
            for start in range(0, len(found.rows), _STEP):
                yield found.rows[start : start + _STEP]
            after = found.after

    def _name_files(self, events: Events, rows: Sequence[FoundRow]) -> None:
        ends = {row.id: row.last_ms for row in rows}
        for inference in events.get(list(ends)):
            for key in files_in(inference.input or b""):
                self.files[key] = max(self.files.get(key, 0.0), ends[inference.id])

    def _find_in_catalogue(self, catalogue: Catalogue, now_ms: int) -> None:
        with catalogue.reading() as view:
            found = view.doomed_datapoints(self.whose, self.inferences, self.feedback)
            self.datapoints = {each.id: each for each in found}
            named = view.files_of_datapoints(self.datapoints)
            hashes = sorted(view.contents_of_datapoints(self.datapoints))
            self.workflow_episodes = view.workflow_episodes_of(self.whose)
        vault = catalogue.vault
        # Before anything is gone: where the vault cannot be asked, this raises.
        vault.hashes(after="", limit=1)
        for some in pages(hashes, _STEP):
            named = named.union(*map(files_in, vault.get(some).values()))
        for key in named:
            self.files.setdefault(key, float(now_ms))
        ids: tuple[str, ...] = tuple(self.inferences)
        after: int | None = -1
        while after is not None:
            with catalogue.reading() as view:
                elements, after = view.batch_elements_of(self.whose, ids, after=after, limit=_LOOK)
            self.elements |= dict.fromkeys(elements)
            ids = ()

    def _find_in_quarantine(self, events: Events) -> None:
        after = 0
        while page := events.quarantined(after=after, limit=_STEP):
            for entry in page:
                if entry.state == "dropped":
                    continue
                belongs = self._belongs(entry)
                if belongs is None:
                    self.unread += 1
                elif belongs:
                    self.quarantined.append(entry.id)
            after = page[-1].id

    def _belongs(self, entry: Quarantined) -> bool | None:
        """Return whether a refused record belongs to them; null where nobody can tell."""
        record = record_of(entry)
        match record:
            case Inferred(inference) | Begun(inference):
                return self._of_episode(inference) or self._tagged(inference.tags)
            case FeedbackRecord(feedback):
                known = feedback.target_id in self.inferences or feedback.target_id in self.episodes
                return known or self._tagged(feedback.tags)
            case Undecodable():
                sign = self.whose.episode_id if self.whose.tag is None else self.whose.tag[1]
                return True if sign and sign.encode() in entry.frame else None
            case _:
                return False

    def _of_episode(self, row: InferenceRow) -> bool:
        wanted = self.whose.episode_id
        return wanted is not None and wanted in (row.episode_id, row.tags.get(EPISODE_TAG))

    def _tagged(self, tags: dict[str, str]) -> bool:
        return self.whose.tag is not None and tags.get(self.whose.tag[0]) == self.whose.tag[1]

    def _keep_files_of_others(self, events: Events, catalogue: Catalogue) -> None:
        """Leave out the files that others name. Reads all inputs, where there are files at all."""
        named = set(self.files)
        after: str | None = ""
        while named and after is not None:
            page = events.files_of_others(self.whose, after=after, limit=_LOOK)
            named -= page.keys
            after = page.after
        if catalogue.exists():
            # A content goes from the catalogue to the vault or back meanwhile: one of these three finds it.
            self._keep_sealed_files(catalogue, named)
            after = ""
            while named and after is not None:
                with catalogue.reading() as view:
                    page = view.files_of_other_datapoints(self.datapoints, after=after, limit=_LOOK)
                named -= page.keys
                after = page.after
            self._keep_sealed_files(catalogue, named)
        self.files_kept = len(self.files) - len(named)
        self.files = {key: self.files[key] for key in named}

    def _keep_sealed_files(self, catalogue: Catalogue, named: set[str]) -> None:
        """Leave out the files that sealed contents of others name."""
        after = ""
        while named and (some := catalogue.vault.hashes(after=after, limit=_STEP)):
            files = {each: files_in(content) & named for each, content in catalogue.vault.get(some).items()}
            with catalogue.reading() as view:
                owners = view.owners_of_contents([each for each, keys in files.items() if keys])
            for each, ids in owners.items():
                if not ids <= self.datapoints.keys():
                    named -= files[each]
            after = some[-1]
