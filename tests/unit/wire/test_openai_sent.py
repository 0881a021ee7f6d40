"""What of a chat completion's body goes as it was written, and which message is whose."""

import msgspec
import pytest

from calibrant.base.errors import InvalidRequest
from calibrant.wire import openai_chat

CALL = {"id": "1", "type": "function", "function": {"name": "n", "arguments": "{}"}}
HELLO = {"role": "user", "content": "hello"}


def sent(messages=(HELLO,), **fields):
    body = {"model": "tensorzero::model_name::m", "messages": list(messages), **fields}
    return openai_chat.decode(msgspec.json.encode(body), now_ms=1_780_000_000_000).sent


def test_a_request_that_our_words_say_is_not_kept():
    assert sent() is None
    assert (
        sent([{"role": "system", "content": "s"}, HELLO, {"role": "assistant", "content": "a", "refusal": None}])
        is None
    )
    assert sent(temperature=1, response_format={"type": "json_object"}, user=None, of_the_future=1) is None


def test_fields_keep_their_words():
    body = b'{"model":"tensorzero::model_name::m","messages":[{"role":"user","content":"x"}],"logit_bias":{"7": -1.50}}'
    found = openai_chat.decode(body, now_ms=1_780_000_000_000).sent
    assert (bytes(found.fields["logit_bias"]), found.messages, found.only) == (b'{"7": -1.50}', (), ())


def test_each_message_knows_what_it_became():
    found = sent(
        [
            {"role": "developer", "content": "d"},
            {"role": "user", "content": "u", "name": "Ada"},
            {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "2"}]},
            {"role": "tool", "tool_call_id": "1", "content": "r"},
            {"role": "tool", "tool_call_id": "2", "content": "r"},
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "tensorzero::arguments": {"a": 1}}]},
        ]
    )
    assert [each.place for each in found.messages] == [None, 0, 1, 2, 2, None, 3]
    assert [each.raw is not None for each in found.messages] == [True] * 6 + [False]


def test_blocks_of_ours_keep_messages_in_our_words():
    extra = [{"type": "thought", "text": "hm"}]
    answer = {"role": "assistant", "content": "a", "tensorzero_extra_content": extra}
    assert sent([{**HELLO, "name": "Ada"}, answer]) is None


def test_our_own_parameters_count_instead_of_the_form():
    form = {"type": "json_schema", "json_schema": {"name": "r", "schema": {}}}
    assert set(sent(response_format=form).fields) == {"response_format"}
    assert sent(response_format=form, **{"tensorzero::params": {"chat_completion": {"json_mode": "on"}}}) is None


@pytest.mark.parametrize(
    ("fields", "only"),
    [
        ({"audio": {"voice": "v"}, "modalities": ["text", "audio"]}, ("`$.audio`", "`$.modalities`")),
        ({"web_search_options": {}}, ("`$.web_search_options`",)),
        ({"modalities": ["text"], "user": "u", "logprobs": True}, ()),
    ],
)
def test_what_only_this_dialect_can_say(fields, only):
    assert sent(**fields).only == only


@pytest.mark.parametrize(
    ("fields", "match"),
    [({"prediction": None}, r"\$.prediction"), ({"modalities": "text"}, "array"), ({"modalities": [1]}, "str")],
)
def test_what_is_refused(fields, match):
    deep = "x"
    for _ in range(120):
        deep = [deep]
    with pytest.raises(InvalidRequest, match=match):
        sent(**{key: deep if value is None else value for key, value in fields.items()})
