from hypothesis import given
from hypothesis import strategies as st

from calibrant.types.content import Text, Thought, ToolCall, Unknown
from calibrant.types.reply import (
    Chunk,
    Reply,
    TextDelta,
    ThoughtDelta,
    ToolCallDelta,
    UnknownDelta,
    Usage,
    as_chunk,
    fold,
)


def test_nothing_folds_to_an_empty_reply():
    reply = fold([])
    assert reply.content == ()
    assert reply.usage == Usage()
    assert reply.finish_reason is None


def test_pieces_of_one_block_join_and_blocks_keep_the_order_of_their_first_piece():
    reply = fold(
        [
            Chunk((ThoughtDelta("0", text="hm"),), model="m-1", raw=b"a"),
            Chunk((TextDelta("0", "He"), ToolCallDelta("c1", '{"a"', "f"))),
            Chunk((ToolCallDelta("c2", "{}", "g"), TextDelta("0", "llo"), ToolCallDelta("c1", ":1}"))),
            Chunk((UnknownDelta("u", {"x": 1}), ThoughtDelta("0", text="m", signature="s"))),
            Chunk(finish_reason="tool_call", usage=Usage(3, 4), raw=b"b"),
        ]
    )
    assert reply.content == (
        Thought(text="hmm", signature="s"),
        Text("Hello"),
        ToolCall(id="c1", raw_name="f", raw_arguments='{"a":1}'),
        ToolCall(id="c2", raw_name="g", raw_arguments="{}"),
        Unknown({"x": 1}),
    )
    assert reply.finish_reason == "tool_call"
    assert reply.raw == b"a\nb"
    assert reply.model == "m-1"


@given(st.lists(st.tuples(st.none() | st.integers(0, 99), st.none() | st.integers(0, 99)), max_size=6))
def test_usage_is_the_largest_seen_and_null_is_not_zero(pairs):
    usage = fold([Chunk(usage=Usage(a, b)) for a, b in pairs]).usage
    for got, seen in ((usage.input_tokens, [a for a, _ in pairs]), (usage.output_tokens, [b for _, b in pairs])):
        known = [value for value in seen if value is not None]
        assert got == (max(known) if known else None)


def test_an_answer_as_one_chunk_folds_to_itself() -> None:
    reply = Reply(
        (Thought("t", "s", None, "p", {"id": 1}), Text("a"), ToolCall("c", "f", "{}"), Unknown({"x": 1})),
        Usage(1, 2),
        "stop",
        b"raw",
        "m",
        "fp",
        "r",
        b"{}",
    )
    assert fold([as_chunk(reply)]) == reply
