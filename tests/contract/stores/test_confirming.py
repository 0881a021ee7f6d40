"""Confirmations over every catalogue and its vault, with a model whose answers are known."""

import asyncio
import random

import pytest
from msgspec.structs import replace
from tests.support.engine import Line, said
from tests.support.homes import CATALOGUES

from calibrant.base.errors import ConfirmationRefused, InvalidRequest, NotFound
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.datasets.reader import DatasetReader
from calibrant.evaluations.confirming import confirm
from calibrant.evaluations.exact_match import ExactMatch
from calibrant.evaluations.ledger import confirmations, period_of
from calibrant.types.confirmation import BUDGET, Proposal
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, DatapointQuery, NewDatapoint
from calibrant.types.message import Input, Message
from calibrant.types.split import Shares

NOW = 1_790_000_000_000
ACTOR = Actor("tester", NOW)
TREES = ["elm", "oak", "ash", "fir", "yew", "box", "bay", "fig", "nut", "may"]
EXACT = ExactMatch("exact")
TOML = """
[models.m]
routing = ["p"]
[models.m.providers.p]
type = "openai"
model_name = "m"
api_base = "http://p.m/v1/"
api_key_location = "none"
[functions.f]
type = "chat"
[functions.f.variants.old]
type = "chat_completion"
model = "m"
[functions.f.variants.new]
type = "chat_completion"
model = "m"
temperature = 0.5
[functions.f.variants.bad]
type = "chat_completion"
model = "m"
temperature = 0.9
"""


def case(number):
    words = " ".join(random.Random(number).choices(TREES, k=30))
    given = Input((Message("user", (Text(f"case {number}: {words}"),)),))
    return NewDatapoint(Content("chat", "f", given, (Text(f"right {number}"),)))


def number_in(body):
    return int(body["messages"][-1]["content"].split(":")[0].removeprefix("case "))


def model(rates, seen=None):
    """A model that is right at these rates: by variant, each item the same way each time."""

    def answer(call):
        import msgspec

        body = msgspec.json.decode(call.body)
        variant = {None: "old", 0.5: "new", 0.9: "bad"}[body.get("temperature")]
        number = number_in(body)
        if seen is not None:
            seen.append((variant, number))
        right = random.Random(f"{variant}{number}").random() < rates[variant]
        return said(f"right {number}" if right else "wrong")

    return answer


@pytest.fixture(params=sorted(CATALOGUES))
def catalogue(request, tmp_path):
    with CATALOGUES[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
def sealed(catalogue):
    editing.create(catalogue, "d", "datapoint", ACTOR)
    holdout.seal(catalogue, "d", Shares(train=0, val=0, sealed=100), None, ACTOR)
    editing.add(catalogue, "d", [case(n) for n in range(150)], ACTOR)
    return catalogue


def proposal(**fields):
    told = {"dataset_name": "d", "function_name": "f", "incumbent": "old", "candidate": "new", "claimed_gain": 0.5}
    return Proposal(**{**told, **fields})


def run(line, catalogue, wanted=None, evaluator=EXACT, actor=ACTOR, **fields):
    return asyncio.run(confirm(line.engine, catalogue, wanted or proposal(), evaluator, actor, **fields))


def counts(catalogue):
    with catalogue.reading() as view:
        return {each.split: each.datapoints for each in holdout.split_of(view, "d")}


def test_a_better_candidate_passes_and_what_it_read_is_used_up(sealed, tmp_path):
    seen = []
    line = Line(tmp_path, TOML, model({"old": 0.4, "new": 0.95}, seen))
    found = run(line, sealed)
    assert found.status == "passed" and found.failures == (0, 0) and found.number == 1
    low, high = found.interval
    assert 0 < low < high <= 1 and round(low, 2) == low
    assert found.items == len(seen) / 2 and sorted(v for v, _ in seen[:2]) == ["new", "old"]
    assert line.spool.records == []
    assert counts(sealed) == {"train": 0, "val": found.items, "sealed": 150 - found.items, "canary": 0}
    shown = DatasetReader(sealed).stream(DatapointQuery(dataset_name="d"))
    assert sum(each.split == "val" and each.content.output is not None for each in shown) == found.items
    with sealed.reading() as view:
        assert confirmations(view) == [found]
        assert holdout.broken_at(holdout.ledger_lines(view)) is None
        assert [each.act for each in holdout.ledger_lines(view)] == ["seal", "confirm.begin", "graduate", "confirm.end"]
    answers = sealed.vault.answers(found.id)
    assert len(answers) == 2 * found.items and {each.score for each in answers} == {0.0, 1.0}
    assert len(sealed.vault.hashes(after="", limit=1000)) == 150 - found.items


def test_a_candidate_that_is_no_better_fails(sealed, tmp_path):
    found = run(Line(tmp_path, TOML, model({"old": 0.7, "new": 0.7})), sealed)
    assert found.status == "failed" and found.interval[0] <= 0


def test_items_are_fresh_each_time_and_the_budget_shrinks(sealed, tmp_path):
    seen = []
    line = Line(tmp_path, TOML, model({"old": 0.4, "new": 0.9, "bad": 0.1}, seen))
    first = run(line, sealed)
    before = {number for _, number in seen}
    seen.clear()
    second = run(line, sealed, proposal(candidate="bad"))
    assert not before & {number for _, number in seen}
    assert second.status == "failed" and second.number == 2
    assert second.alpha == pytest.approx(first.alpha / 4)
    assert second.items > first.items


def test_the_same_two_are_not_asked_again(sealed, tmp_path):
    line = Line(tmp_path, TOML, model({"old": 0.7, "new": 0.7}))
    found = run(line, sealed)
    with pytest.raises(ConfirmationRefused, match=found.id):
        run(line, sealed)
    # A variant that was changed is another.
    (tmp_path / "b").mkdir()
    toml = TOML.replace("temperature = 0.5", "temperature = 0.5\ntop_p = 0.5")
    changed = Line(tmp_path / "b", toml, model({"old": 0.7, "new": 0.7}))
    assert run(changed, sealed).number == 2


def test_too_few_items_are_refused_with_the_number_missing_and_nothing_is_spent(sealed, tmp_path):
    seen = []
    line = Line(tmp_path, TOML, model({"old": 0.7, "new": 0.7}, seen))
    with pytest.raises(ConfirmationRefused, match=r"it needs (\d+) sealed items, and 150 are fresh: (\d+) are missing"):
        run(line, sealed, proposal(claimed_gain=0.05))
    with pytest.raises(ConfirmationRefused, match="items: 10 show too little"):
        run(line, sealed, proposal(items=10))
    assert not seen and counts(sealed)["sealed"] == 150
    with sealed.reading() as view:
        assert confirmations(view) == []


def test_the_whole_budget_may_be_spent_at_once_and_then_the_quarter_has_none(sealed, tmp_path):
    line = Line(tmp_path, TOML, model({"old": 0.4, "new": 0.9, "bad": 0.1}))
    assert run(line, sealed, proposal(alpha=BUDGET)).alpha == BUDGET
    with pytest.raises(ConfirmationRefused, match=r"0.0000 of the 0.05 are left to 'f' in 2026Q3"):
        run(line, sealed, proposal(candidate="bad"))
    later = Actor("tester", NOW + 100 * 86_400_000)
    assert period_of(later.now_ms) == "2026Q4"
    assert run(line, sealed, proposal(candidate="bad"), actor=later).number == 1
    with pytest.raises(InvalidRequest, match="alpha"):
        run(line, sealed, proposal(candidate="bad", alpha=0.2), actor=later)


def test_what_fails_gets_the_worst_score_and_is_counted(sealed, tmp_path):
    def answer(call):
        import msgspec

        body = msgspec.json.decode(call.body)
        if body.get("temperature") == 0.5:
            raise ConnectionError("away")
        return said(f"right {number_in(body)}")

    def broken(call):
        try:
            return answer(call)
        except ConnectionError:
            from tests.support.engine import refusal

            return refusal(500, "no")

    found = run(Line(tmp_path, TOML, broken), sealed)
    assert found.status == "failed" and found.failures == (0, found.items) and found.interval[1] <= -0.8


def test_one_that_is_broken_off_has_spent_what_it_took(sealed, tmp_path):
    line = Line(tmp_path, TOML, model({"old": 0.4, "new": 0.9}))

    async def stopped():
        started = asyncio.Event()
        task = asyncio.create_task(
            confirm(line.engine, sealed, proposal(), EXACT, ACTOR, progress=lambda *_: started.set())
        )
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stopped())
    with sealed.reading() as view:
        (found,) = confirmations(view)
    assert found.status == "abandoned" and counts(sealed)["val"] == found.items
    with pytest.raises(ConfirmationRefused, match="before"):
        run(line, sealed)


def test_items_of_which_a_prompt_has_words_leave_the_seal(sealed, tmp_path):
    line = Line(tmp_path, TOML, model({"old": 0.4, "new": 0.95}))

    def touched(contents):
        return [at for at, each in enumerate(contents) if "case 1" in each.input.messages[0].content[0].text]

    found = run(line, sealed, touched=touched)
    left = [each for each in DatasetReader(sealed).stream(DatapointQuery(dataset_name="d")) if each.split == "train"]
    assert left and all("case 1" in each.content.input.messages[0].content[0].text for each in left)
    assert found.items + len(left) <= 150
    with sealed.reading() as view:
        assert ("taint", "in_prompt") in [(e.act, e.detail.get("reason")) for e in holdout.ledger_lines(view)]


def test_items_without_a_wanted_output_are_of_no_use_and_stay(sealed, tmp_path):
    bare = [replace(case(n), content=replace(case(n).content, output=None)) for n in range(900, 950)]
    ids = editing.add(sealed, "d", bare, ACTOR)
    run(Line(tmp_path, TOML, model({"old": 0.4, "new": 0.95})), sealed)
    rows = {each.id: each.split for each in DatasetReader(sealed).stream(DatapointQuery(dataset_name="d"))}
    assert {rows[each] for each in ids} <= {"sealed", "val"}


def test_less_is_better_where_the_evaluator_says_so(sealed, tmp_path):
    from calibrant.evaluations.python import PythonFunction

    length = PythonFunction("wrong", lambda item, output: item.output != output, "boolean", "min")
    found = run(Line(tmp_path, TOML, model({"old": 0.4, "new": 0.95})), sealed, evaluator=length)
    assert found.status == "passed"


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"candidate": "none"}, NotFound, "candidate"),
        ({"incumbent": "none"}, NotFound, "incumbent"),
        ({"function_name": "none"}, NotFound, "Unknown function"),
        ({"dataset_name": "none"}, NotFound, "no dataset"),
        ({"dataset_name": "open"}, InvalidRequest, "not split"),
        ({"candidate": "old"}, InvalidRequest, "it is the incumbent"),
        ({"claimed_gain": 0.0}, InvalidRequest, "claimed_gain"),
        ({"claimed_gain": float("nan")}, InvalidRequest, "finite"),
        ({"claimed_gain": 8.0}, InvalidRequest, "8 points are 0.08"),
        ({"claimed_gain": 8.0, "spread": 5.0}, InvalidRequest, "8 points are 0.08"),
        ({"margin": float("nan")}, InvalidRequest, "finite"),
        ({"spread": -1.0}, InvalidRequest, "spread"),
    ],
)
def test_what_cannot_be_confirmed_is_said(sealed, tmp_path, fields, error, words):
    editing.add(sealed, "open", [case(1000)], ACTOR)
    with pytest.raises(error, match=words):
        run(Line(tmp_path, TOML), sealed, proposal(**fields))


def test_scores_of_another_scale_want_a_spread_to_plan_with(sealed, tmp_path):
    from calibrant.evaluations.python import PythonFunction

    percent = PythonFunction("percent", lambda item, output: 100.0 * (item.output == output))
    line = Line(tmp_path, TOML, model({"old": 0.4, "new": 0.95}))
    with pytest.raises(InvalidRequest, match="say the spread"):
        run(line, sealed, proposal(claimed_gain=40.0), evaluator=percent)
    assert run(line, sealed, proposal(claimed_gain=40.0, spread=50.0), evaluator=percent).status == "passed"


def test_an_evaluator_that_fails_on_a_wanted_output_tells_nobody_what_it_is(sealed, tmp_path):
    from calibrant.evaluations.python import PythonFunction

    number = PythonFunction("number", lambda item, output: float(item.output[0].text))
    found = run(Line(tmp_path, TOML), sealed, evaluator=number)
    # It sees nothing before the ledger says so, and what it said of an item stays in the vault.
    assert found.status == "failed" and found.failures == (found.items, found.items)
    with sealed.reading() as view:
        assert [each.act for each in holdout.ledger_lines(view)][-3:] == ["confirm.begin", "graduate", "confirm.end"]
        assert all("right" not in str(each.detail) for each in holdout.ledger_lines(view))
