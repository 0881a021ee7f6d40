"""Mixture of n: what the fuser sees, that it streams, and who is served when it fails."""

import msgspec
import pytest
from tests.support.engine import Answer, content, event, function, model, refusal, said, streamed, variant

from calibrant.base.errors import AllCandidatesFailed, ProviderError
from calibrant.types.request import Params


def toml(*candidates, kind="chat", mode="", fuser="", functions=""):
    listed = ", ".join(f'"{each}"' for each in candidates)
    mixed = (
        f'variants.mix = {{ type = "experimental_mixture_of_n", candidates = [{listed}], '
        f'fuser = {{ model = "fuser"{fuser and ", " + fuser} }} }}\n'
    )
    names = sorted(set(candidates))
    models = "".join(model(name) for name in (*names, "fuser"))
    return models + function(*(variant(name, name, mode) for name in names), mixed, kind=kind, extra=functions)


def script(answers, fused):
    def step(call):
        host = call.url.split("/")[2].partition(".")[2]
        answer = fused if host == "fuser" else answers[host]
        return answer(msgspec.json.decode(call.body)) if callable(answer) else answer

    return step


ANSWERS = {"a": said("A."), "b": said("B.")}


def strategy(it):
    return msgspec.json.decode(it.row.strategy)


def test_the_fuser_answers(line):
    it = line(toml("a", "b"), script(ANSWERS, said("Both.")))
    answered = it.infer(variant_name="mix", params=Params(temperature=0.5))
    assert content(answered) == [{"type": "text", "text": "Both."}]
    assert (answered.usage.input_tokens, answered.usage.output_tokens) == (21, 9)
    shown = it.sender.bodies[-1]["messages"][-1]["content"]
    assert "\nA.\n" in shown and "\nB.\n" in shown
    noted = strategy(it)
    assert noted["type"] == "mixture_of_n" and noted["chosen"] is None and sorted(noted["order"]) == [0, 1]
    # The request's parameters are for the answer, which is the fuser's.
    assert [body.get("temperature") for body in it.sender.bodies] == [None, None, 0.5]
    assert [row.variant_name for row in it.attempts][-1] == "mix" == it.row.variant_name


def test_the_fuser_streams(line):
    it = line(toml("a", "b"), script(ANSWERS, streamed("Bo", "th.")))
    stream, chunks = it.stream(variant_name="mix")
    assert [delta.text for chunk in chunks for delta in chunk.content] == ["Bo", "th."]
    assert content(stream.answered) == [{"type": "text", "text": "Both."}]
    assert stream.answered.usage.input_tokens == 21
    assert [body.get("stream", False) for body in it.sender.bodies] == [False, False, True]
    assert [row.attempt for row in it.attempts] == [1, 2, 3]
    assert it.attempts[-1].ttft_ms is not None and strategy(it)["chosen"] is None


def test_a_fuser_that_breaks_in_the_middle_breaks_the_stream(line):
    broken = Answer(event({"content": "Bo"}), ProviderError("gone"))
    it = line(toml("a", "b"), script(ANSWERS, broken))
    stream, _ = it.stream(variant_name="mix")
    assert stream.error is not None and it.row.status == "error"
    assert len(it.attempts) == 3 and it.attempts[-1].status == "error"


@pytest.mark.parametrize("stream", [False, True])
def test_where_the_fuser_fails_chance_picks(line, stream):
    served = set()
    for _ in range(40):
        it = line(toml("a", "b"), script(ANSWERS, refusal(500)))
        answered = it.stream(variant_name="mix")[0].answered if stream else it.infer(variant_name="mix")
        served.add(content(answered)[0]["text"])
        assert strategy(it)["fallback"] == "providers_exhausted"
        assert it.counted("judge_failures") == {("f", "mix"): 1}
        assert len(it.attempts) == 3
    assert served == {"A.", "B."}


@pytest.mark.parametrize("stream", [False, True])
def test_a_single_survivor_is_served(line, stream):
    it = line(toml("a", "b"), script({**ANSWERS, "a": refusal()}, said("unasked")))
    answered = it.stream(variant_name="mix")[0].answered if stream else it.infer(variant_name="mix")
    assert content(answered) == [{"type": "text", "text": "B."}] and "p.fuser" not in it.sender.asked


def test_nobody_survives(line):
    it = line(toml("a", "b"), script({"a": refusal(), "b": refusal()}, said()))
    with pytest.raises(AllCandidatesFailed):
        it.infer(variant_name="mix")
    with pytest.raises(AllCandidatesFailed):
        it.stream(variant_name="mix")


def test_a_json_function_fuses_json(line, tmp_path):
    (tmp_path / "out.json").write_text('{"type": "object", "required": ["x"]}')
    text = toml(
        "a",
        "b",
        kind="json",
        mode='json_mode = "on"',
        fuser='json_mode = "strict"',
        functions='output_schema = "out.json"',
    )
    it = line(text, script({"a": said('{"x": 1}'), "b": said('{"x": 2}')}, said('{"x": 3}')))
    answered = it.infer(variant_name="mix")
    assert answered.raw == '{"x": 3}' and bytes(answered.parsed) == b'{"x": 3}'
    assert it.sender.bodies[-1]["response_format"]["type"] == "json_schema"


def test_calls_of_tools_are_shown_as_they_are(line):
    from calibrant.types.tool import Tool

    called = said(None, calls=[("look", '{"at": "sky"}')], finish="tool_calls")
    it = line(toml("a", "b"), script({"a": called, "b": said("B.")}, called))
    answered = it.infer(variant_name="mix", tools=(Tool("look", "Looks.", {"type": "object"}),))
    assert answered.content[0].raw_name == "look"
    assert '"raw_name":"look"' in it.sender.bodies[-1]["messages"][-1]["content"]
    assert it.sender.bodies[-1]["tools"][0]["function"]["name"] == "look"
