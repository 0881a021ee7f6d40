"""Where the SQL of SQLite and of PostgreSQL differs, as values. Pure.

Statements are written with `?` for each parameter and hold no other question mark and no per cent sign, so that
`Dialect.mark` can take its place. Fragments are templates: `{id}`, `{cost}` and so on stand for a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from msgspec import Struct

from calibrant.store.search_text import pattern, searched
from calibrant.types.replay import RUN_TAG

__all__ = ["POSTGRES", "REPLAYED", "SQLITE", "Dialect", "Sql", "joined"]

REPLAYED: Final = f'"{RUN_TAG}":"'
"""What the tags of a replay's inferences have, as stored; the value of a tag cannot, since its quotes are escaped."""


class Sql(NamedTuple):
    """Text and the parameters of its marks, in their order."""

    text: str
    parameters: tuple[Any, ...] = ()


class Dialect(Struct, frozen=True):
    """What one engine says in its own way."""

    mark: str
    tag: str
    """The value of the tag whose name is the one parameter; null where there is none. Of the column `{tags}`."""
    replayed: str
    """Whether a replay made the inference whose column is `{tags}`."""
    bucket: str
    """Unix milliseconds at which the interval of `{id}` begins; its one parameter is `minute`, `hour` and so on."""
    cost: str
    """The exact sum of the decimal text `{cost}`, as text."""
    found: str
    """Whether the search index may have an inference; its one parameter is what `searched` makes of the text."""
    searched: Callable[[str], str | None]
    """What to ask the index for a text; null where it cannot be asked."""
    page_index: str
    """What has a look-up by function and id use the index of pages, whose part for one function is small."""
    target: str
    """`g.target_id`, of which the engine shall not conclude that what bounds it bounds the inference's id too."""
    hits: str
    """How often a text, the one parameter, occurs in `{input}` and `{output}`."""
    data_key: str
    """By which a payload is found, and its owner."""
    latest: str
    """Of each target the latest feedback that is `{matching}`, by target: target, number and id; one page."""

    @property
    def with_data(self) -> str:
        """Inferences with their payloads, where they have any."""
        key = self.data_key
        return f"inferences LEFT JOIN inference_data ON inference_data.{key} = inferences.{key}"

    def with_data_of(self, ids: Iterable[str]) -> Sql:
        """Return the same tables, with the condition that inferences have one of these ids left to be added.

        PostgreSQL is told the ids of the payloads as well: of the join alone it cannot tell in which weeks they are,
        and would sooner go through all payloads that there are.
        """
        held = tuple(ids)
        if self.data_key != "id":
            return Sql(self.with_data)
        marks = ", ".join("?" * len(held))
        return Sql(f"{self.with_data} AND inference_data.id IN ({marks})", held)

    def finished(self, sql: Sql) -> Sql:
        """Return a statement with this engine's marks."""
        return sql if self.mark == "?" else Sql(sql.text.replace("?", self.mark), sql.parameters)


SQLITE = Dialect(
    mark="?",
    tag="(SELECT value FROM json_each({tags}) WHERE key = ?)",
    replayed=f"instr({{tags}}, '{REPLAYED}') > 0",
    bucket="calibrant_bucket({id}, ?)",
    cost="calibrant_total({cost})",
    found="inferences.seq IN (SELECT rowid FROM inference_text WHERE inference_text MATCH ?)",
    searched=searched,
    page_index=" INDEXED BY inferences_page",
    target="+g.target_id",
    hits="calibrant_hits({input}, {output}, ?)",
    data_key="seq",
    # With `max`, SQLite takes the other columns from the row that has the greatest id.
    latest="SELECT target_id, number, max(id) FROM feedback f WHERE {matching} GROUP BY target_id "
    "ORDER BY target_id LIMIT ?",
)
"""The functions are in `sqlite_functions`."""


POSTGRES = Dialect(
    mark="%s",
    tag="({tags}::json ->> ?)",
    replayed=f"strpos({{tags}}, '{REPLAYED}') > 0",
    bucket="calibrant_bucket({id}, ?)",
    cost="sum(({cost})::numeric)::text",
    found="inferences.id IN (SELECT t.id FROM inference_text t WHERE t.body LIKE ? ESCAPE '!')",
    searched=pattern,
    page_index="",
    target="g.target_id",
    hits="calibrant_hits(inferences.id, ?)",
    data_key="id",
    latest="SELECT DISTINCT ON (f.target_id) f.target_id, f.number, f.id FROM feedback f WHERE {matching} "
    "ORDER BY f.target_id, f.id DESC LIMIT ?",
)
"""The functions are made by `postgres_migrations`. A text is compared as it was folded when it was indexed."""


def joined(separator: str, pieces: Iterable[Sql]) -> Sql:
    """Return pieces as one."""
    held = list(pieces)
    return Sql(
        separator.join(piece.text for piece in held),
        tuple(parameter for piece in held for parameter in piece.parameters),
    )
