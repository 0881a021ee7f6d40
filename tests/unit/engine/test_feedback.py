"""Feedback: its value against its metric, its target against the record, and what the watermark decides."""

import time

import msgspec
import pytest
from msgspec.structs import replace
from tests.support.engine import Stored, function, model

from calibrant.base.errors import InvalidRequest, NotFound, SpoolFull
from calibrant.base.ids import id_millis, uuid7
from calibrant.engine.engine import Caller
from calibrant.engine.feedback import link
from calibrant.store.base import TargetView
from calibrant.store.linking import Refusal
from calibrant.types.rows import FeedbackRow
from calibrant.types.tool import CustomTool, Tool, ToolConfig

METRICS = """
metrics.good = { type = "boolean", optimize = "max", level = "inference" }
metrics.score = { type = "float", optimize = "max", level = "inference" }
metrics.happy = { type = "float", optimize = "max", level = "episode" }
"""
TOML = METRICS + model() + function()
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = msgspec.json.encode(ToolConfig((Tool("weather", "", CITY),)))
CHAT = TargetView(uuid7(), uuid7(), "f", "chat", "v", "ok", None, TOOLS)
JSON = replace(CHAT, inference_id=uuid7(), function_type="json", output_schema=msgspec.json.encode(CITY))
OF_ONE, OF_EPISODE = {"inference_id": CHAT.inference_id}, {"episode_id": CHAT.episode_id}


class Clock:
    """A clock whose time passes when it is looked at."""

    def __init__(self):
        self.seconds = 0.0

    def wall_ms(self):
        return 5_000_000_000_000

    def monotonic(self):
        self.seconds += 0.1
        return self.seconds


@pytest.fixture
def judged(line):
    """An engine whose store has two inferences, unless it is told otherwise."""
    return lambda targets=None, toml=TOML, **options: line(toml, targets=targets or Stored(CHAT, JSON), **options)


@pytest.mark.parametrize(
    ("name", "value", "target", "kind", "level", "number", "document"),
    [
        ("good", True, OF_ONE, "boolean", "inference", 1.0, None),
        ("good", False, OF_ONE, "boolean", "inference", 0.0, None),
        ("score", 0.25, OF_ONE, "float", "inference", 0.25, None),
        ("score", 3, OF_ONE, "float", "inference", 3.0, None),
        ("happy", -1, OF_EPISODE, "float", "episode", -1.0, None),
        ("comment", "Fine.", OF_ONE, "comment", "inference", None, b'"Fine."'),
        ("comment", "Fine.", OF_EPISODE, "comment", "episode", None, b'"Fine."'),
        ("demonstration", "So.", OF_ONE, "demonstration", "inference", None, b'[{"type":"text","text":"So."}]'),
    ],
)
def test_every_kind_of_feedback_is_recorded_with_its_target(judged, name, value, target, kind, level, number, document):
    it = judged()
    feedback_id = it.feedback(name, value, Caller(key_id="k"), tags={"rater": "r"}, **target)
    assert it.records[0].feedback == FeedbackRow(
        id=feedback_id,
        metric_name=name,
        kind=kind,
        level=level,
        target_id=next(iter(target.values())),
        snapshot_hash=it.config.hash,
        number=number,
        document=document,
        tags={"rater": "r"},
        key_id="k",
        linked=True,
    )
    assert it.counted("feedback") == {(name,): 1}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("good", 1, "'good' is boolean, but a number"),
        ("good", "true", "boolean, but a string"),
        ("good", None, "boolean, but null"),
        ("score", True, "'score' is float, but a boolean"),
        ("score", "1", "float, but a string"),
        ("score", [1], "float, but an array"),
        ("score", {}, "float, but an object"),
        ("score", 10**400, "too large"),
        ("comment", 1, "a comment is a string, not a number"),
        ("comment", None, "a comment is a string, not null"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_in_words(judged, name, value, says):
    it = judged()
    with pytest.raises(InvalidRequest, match=says):
        it.feedback(name, value, **OF_ONE)
    assert it.records == []


@pytest.mark.parametrize(("name", "target"), [("good", OF_EPISODE), ("happy", OF_ONE), ("demonstration", OF_EPISODE)])
def test_feedback_at_the_wrong_level_is_refused(judged, name, target):
    with pytest.raises(InvalidRequest, match="Correct ID was not provided for feedback level"):
        judged().feedback(name, True if name == "good" else 1, **target)


def test_an_unknown_metric_is_named_with_those_that_there_are(judged):
    with pytest.raises(NotFound, match="'nope'.*good, happy, score"):
        judged().feedback("nope", 1, **OF_ONE)


def test_feedback_wants_the_record(line):
    with pytest.raises(InvalidRequest, match="observability"):
        line(TOML, spool=False).feedback("good", True, **OF_ONE)


def test_feedback_wants_room(judged):
    it = judged()
    it.spool.full = True
    with pytest.raises(SpoolFull):
        it.feedback("good", True, **OF_ONE)
    assert it.counted("rejected") == {(): 1}
    assert it.counted("feedback") == {}


def test_a_dry_run_is_checked_and_not_recorded(judged):
    it = judged()
    assert it.feedback("good", True, dryrun=True, **OF_ONE)
    with pytest.raises(InvalidRequest):
        it.feedback("good", 1, dryrun=True, **OF_ONE)
    assert it.records == []
    assert it.counted("feedback") == {}


@pytest.mark.parametrize("watermark", [0, -1, None])
def test_a_target_newer_than_the_watermark_is_accepted_at_once_and_linked_later(judged, pauses, watermark):
    target = uuid7()
    targets = Stored(watermarks=[id_millis(target) if watermark is None else watermark])
    it = judged(targets)
    it.feedback("good", True, inference_id=target)
    assert it.records[0].feedback.linked is False
    assert targets.looks == 1
    assert pauses == []


def test_an_older_target_is_refused_once_everything_accepted_so_far_is_stored(judged, pauses):
    clock = Clock()
    targets = Stored(watermarks=[clock.wall_ms() - 1] * 5 + [clock.wall_ms()])
    it = judged(targets, clock=clock)
    target = uuid7()
    with pytest.raises(InvalidRequest, match=f"there is no inference {target}"):
        it.feedback("good", True, inference_id=target)
    assert targets.looks == 2
    assert pauses
    assert it.records == []


def test_a_target_that_may_be_in_the_spool_of_another_host_is_accepted(judged, pauses):
    clock = Clock()
    targets = Stored(watermarks=[clock.wall_ms()])
    targets.others_lag_ms = 4 * 10**12
    it = judged(targets, clock=clock)
    it.feedback("good", True, inference_id=uuid7())
    assert it.records[0].feedback.linked is False and pauses == []
    targets.others_lag_ms = 0
    with pytest.raises(InvalidRequest, match="there is no inference"):
        it.feedback("good", True, inference_id=uuid7())


def test_an_older_target_that_turns_up_meanwhile_is_linked(judged, pauses):
    class Late(Stored):
        async def find(self, target_id, level):
            await super().find(target_id, level)
            return CHAT if self.looks == 2 else None

    clock = Clock()
    it = judged(Late(watermarks=[clock.wall_ms() - 1] * 3 + [clock.wall_ms()]), clock=clock)
    it.feedback("good", True, **OF_ONE)
    assert it.records[0].feedback.linked is True


def test_an_older_target_waits_only_so_long_for_the_recorder(judged, pauses):
    clock = Clock()
    it = judged(Stored(watermarks=[clock.wall_ms() - 1]), clock=clock)
    it.feedback("good", True, inference_id=uuid7())
    assert it.records[0].feedback.linked is False
    assert 1 <= len(pauses) <= 20


def test_while_the_store_is_away_feedback_is_accepted_unlinked(judged):
    it = judged(Stored(away=True))
    it.feedback("good", True, inference_id=uuid7())
    it.feedback("demonstration", {"any": "thing"}, inference_id=uuid7())
    assert [record.feedback.linked for record in it.records] == [False, False]
    assert it.records[1].feedback.document == b'{"any":"thing"}'


def test_a_clock_that_is_right_accepts_feedback_on_what_is_newer_than_now(judged):
    it = judged(Stored(watermarks=[int(time.time() * 1000) - 10_000]))
    it.feedback("happy", 1, episode_id=uuid7())
    assert it.records[0].feedback.linked is False


def test_without_validation_any_target_will_do_but_for_a_demonstration(judged):
    toml = "gateway.unstable_disable_feedback_target_validation = true\n" + TOML
    clock = Clock()
    targets = Stored(watermarks=[clock.wall_ms()])
    it = judged(targets, toml, clock=clock)
    it.feedback("good", True, inference_id=uuid7())
    # The recorder looks for no target either, or it would refuse the row.
    assert it.records[0].feedback.linked is True
    assert targets.looks == 0
    with pytest.raises(InvalidRequest, match="there is no inference"):
        it.feedback("demonstration", "x", inference_id=uuid7())


CALL = {"type": "tool_call", "id": "1", "name": "weather", "arguments": {"city": "Rome"}}


def test_a_demonstration_of_a_chat_function_is_stored_as_an_answer(judged):
    it = judged()
    it.feedback("demonstration", [{"type": "text", "text": "So."}, CALL], **OF_ONE)
    assert msgspec.json.decode(it.records[0].feedback.document) == [
        {"type": "text", "text": "So."},
        CALL | {"raw_name": "weather", "raw_arguments": '{"city":"Rome"}'},
    ]


def test_a_demonstration_of_a_tool_that_is_called_with_text_is_text(judged):
    """And one of a tool that the inference was not allowed to call is refused."""
    config = ToolConfig((Tool("weather", "", {"type": "object"}),), custom=(CustomTool("sql"),), allowed=("sql",))
    asked = replace(CHAT, tool_params=msgspec.json.encode(config))
    it = judged(Stored(asked))
    sql = {"type": "tool_call", "id": "1", "name": "sql", "arguments": "SELECT {"}
    it.feedback("demonstration", [sql], **OF_ONE)
    assert msgspec.json.decode(it.records[0].feedback.document) == [
        sql | {"raw_name": "sql", "raw_arguments": "SELECT {", "arguments": None}
    ]
    for value, says in ((sql | {"arguments": {}}, "arguments: expected text"), (CALL, "no tool 'weather'")):
        with pytest.raises(InvalidRequest, match=says):
            it.feedback("demonstration", [value], **OF_ONE)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (3, "a string or a list"),
        ({}, "a string or a list"),
        ([], "a string or a list"),
        ([3], r"value\[0\]: expected"),
        (["x"], r"value\[0\]: expected"),
        ([{"type": "text"}], r"value\[0\]: expected"),
        ([{"type": "text", "text": "x"}, {"type": "nope"}], r"value\[1\]: expected"),
        ([CALL | {"arguments": "{}"}], r"value\[0\]\.arguments: expected an object"),
        ([CALL | {"name": "nope"}], r"value\[0\]\.name: the inference had no tool 'nope'; it had \['weather'\]"),
        ([CALL | {"arguments": {"city": 3}}], r"value\[0\]\.arguments break the tool's schema at \$\.city"),
    ],
)
def test_a_demonstration_that_a_chat_function_could_not_have_answered_is_refused(judged, value, says):
    with pytest.raises(InvalidRequest, match=says):
        judged().feedback("demonstration", value, **OF_ONE)


def test_a_demonstration_of_a_json_function_is_its_value(judged):
    it = judged()
    it.feedback("demonstration", {"city": "Rome"}, inference_id=JSON.inference_id)
    assert it.records[0].feedback.document == b'{"raw":"{\\"city\\":\\"Rome\\"}","parsed":{"city":"Rome"}}'
    with pytest.raises(InvalidRequest, match=r"breaks the inference's output schema at \$\.city"):
        it.feedback("demonstration", {"city": 3}, inference_id=JSON.inference_id)


@pytest.mark.parametrize("kept", [None, b"", b"***", b'{"type": 3}', b"\xff", b"[]"])
def test_where_the_schema_is_no_longer_kept_any_value_is_accepted(judged, kept):
    it = judged(Stored(replace(JSON, output_schema=kept)))
    it.feedback("demonstration", [1, 2], inference_id=JSON.inference_id)
    assert msgspec.json.decode(it.records[0].feedback.document)["parsed"] == [1, 2]


def row(value, **changes):
    document = value if isinstance(value, bytes) else msgspec.json.encode(value)
    unlinked = FeedbackRow(uuid7(), "demonstration", "demonstration", "inference", "t", "h", document=document)
    return replace(unlinked, linked=False, **changes)


def test_a_late_demonstration_is_judged_when_its_target_is_stored():
    linked = link(row("So."), CHAT)
    assert (linked.linked, linked.document) == (True, b'[{"type":"text","text":"So."}]')
    assert "output schema" in link(row({"city": 3}), JSON).reason


def test_other_late_feedback_only_needs_its_target():
    comment = row("Fine.", kind="comment", metric_name="comment")
    assert link(comment, CHAT) == replace(comment, linked=True)
    assert link(comment, None) == Refusal("there is no inference t")


@pytest.mark.parametrize("tools", [b"***", b'{"tools": 3}', b"\xff"])
def test_linking_never_fails_on_what_a_redaction_hook_left(tools):
    assert isinstance(link(row([CALL]), replace(CHAT, tool_params=tools)), Refusal)
    assert isinstance(link(row(b"***"), CHAT), Refusal)
    assert isinstance(link(row(b"\xff"), CHAT), Refusal)


def test_comments_and_demonstrations_pass_the_redaction_hook(judged):
    it = judged(redact=lambda payload, what: b"<" + what.encode() + b">")
    it.feedback("comment", "private", **OF_ONE)
    it.feedback("demonstration", "private", **OF_ONE)
    it.feedback("good", True, **OF_ONE)
    assert [record.feedback.document for record in it.records] == [b"<comment>", b"<demonstration>", None]
