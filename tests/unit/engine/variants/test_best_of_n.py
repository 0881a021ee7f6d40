"""Best of n: who is asked, what the judge sees, who is served, and what the record says of it."""

import msgspec
import pytest
from tests.support.engine import content, function, model, refusal, said, variant

from calibrant.base.errors import AllCandidatesFailed, AllVariantsFailed, InferenceTimeout, MissingCredential
from calibrant.engine.limits import Limit
from calibrant.types.extra import ExtraBody, ProviderTool, Scope
from calibrant.types.request import Params

JUDGED = "judge"


def best(*candidates, name="best", extra="", judge=""):
    listed = ", ".join(f'"{each}"' for each in candidates)
    evaluator = f'evaluator = {{ model = "{JUDGED}"{judge and ", " + judge} }}'
    return (
        f'variants.{name} = {{ type = "experimental_best_of_n_sampling", candidates = [{listed}], '
        f"{evaluator}{extra and ', ' + extra} }}\n"
    )


def toml(*candidates, kind="chat", extra="", judge="", functions="", models="", mode=""):
    names = sorted(set(candidates))
    return (
        "".join(model(name) for name in (*names, JUDGED))
        + models
        + function(
            *(variant(name, name, mode) for name in names),
            best(*candidates, extra=extra, judge=judge),
            kind=kind,
            extra=functions,
        )
    )


def script(answers, verdict):
    """Answer as the model asked does; the judge by `verdict`, which sees the body of its request."""

    def step(call):
        host = call.url.split("/")[2].partition(".")[2]
        if host == JUDGED:
            return verdict(msgspec.json.decode(call.body)) if callable(verdict) else verdict
        answer = answers[host]
        return answer.pop(0) if isinstance(answer, list) else answer

    return step


def picks(text):
    """A judge who picks the candidate that says this."""

    def verdict(body):
        shown = body["messages"][-1]["content"]
        number = shown.split(f"\n{text}\n</candidate>")[0].rsplit('<candidate number="', 1)[1].split('"')[0]
        return said(msgspec.json.encode({"thinking": "t", "answer_choice": int(number)}).decode())

    return verdict


def strategy(it):
    return msgspec.json.decode(it.row.strategy)


ANSWERS = {"a": said("A."), "b": said("B."), "c": said("C.")}


def test_the_judge_picks_and_everything_is_recorded(line):
    it = line(toml("a", "b", "c"), script(ANSWERS, picks("B.")))
    answered = it.infer(variant_name="best", params=Params(temperature=0.5))
    assert content(answered) == [{"type": "text", "text": "B."}]
    assert answered.head.variant_name == it.row.variant_name == "best"
    assert sorted(it.sender.asked[:3]) == ["p.a", "p.b", "p.c"] and it.sender.asked[3] == "p.judge"
    rows = it.attempts
    assert [row.attempt for row in rows] == [1, 2, 3, 4]
    assert sorted(row.variant_name for row in rows) == ["a", "b", "best", "c"]
    assert {row.inference_id for row in rows} == {it.row.id}
    assert (answered.usage.input_tokens, answered.usage.output_tokens) == (28, 12)
    noted = strategy(it)
    assert noted["type"] == "best_of_n" and noted["candidates"] == ["a", "b", "c"]
    assert sorted(noted["order"]) == [0, 1, 2] and noted["chosen"] == 1
    assert noted["failed"] == {} and noted["fallback"] is None
    # The request's parameters are not the candidates', nor the judge's.
    assert not any("temperature" in body for body in it.sender.bodies)


def test_the_judge_sees_the_candidates_in_the_recorded_order(line):
    seen = set()
    for _ in range(40):
        it = line(toml("a", "b", "c"), script(ANSWERS, picks("C.")))
        it.infer(variant_name="best")
        shown = it.sender.bodies[-1]["messages"][-1]["content"]
        order = strategy(it)["order"]
        places = sorted((shown.index(f"\n{text}\n"), place) for place, text in enumerate(("A.", "B.", "C.")))
        assert [place for _, place in places] == order
        seen.add(tuple(order))
    assert len(seen) > 1


def test_the_judge_is_asked_for_json_in_its_own_mode(line):
    it = line(toml("a", "b"), script(ANSWERS, picks("A.")))
    it.infer(variant_name="best")
    form = it.sender.bodies[-1]["response_format"]
    assert form["type"] == "json_schema"
    assert set(form["json_schema"]["schema"]["properties"]) == {"thinking", "answer_choice"}
    it = line(toml("a", "b", judge='json_mode = "on", temperature = 0.25'), script(ANSWERS, picks("A.")))
    it.infer(variant_name="best")
    assert it.sender.bodies[-1]["response_format"] == {"type": "json_object"}
    assert it.sender.bodies[-1]["temperature"] == 0.25


def test_a_failed_candidate_drops_out(line):
    it = line(toml("a", "b", "c"), script({**ANSWERS, "a": refusal(500)}, picks("C.")))
    assert content(it.infer(variant_name="best")) == [{"type": "text", "text": "C."}]
    noted = strategy(it)
    assert noted["failed"] == {"0": "providers_exhausted"} and sorted(noted["order"]) == [1, 2]
    assert sorted((row.variant_name, row.status) for row in it.attempts)[0] == ("a", "error")
    assert it.row.status == "ok" and it.row.fallback_reason is None


def test_a_single_survivor_needs_no_judge(line):
    it = line(toml("a", "b"), script({**ANSWERS, "a": refusal(500)}, refusal(500)))
    assert content(it.infer(variant_name="best")) == [{"type": "text", "text": "B."}]
    assert "p.judge" not in it.sender.asked
    assert strategy(it)["order"] is None and strategy(it)["chosen"] == 1


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (refusal(500), "providers_exhausted"),
        (said("no JSON"), "provider_bad_answer"),
        (said('{"thinking": "t", "answer_choice": 2}'), "provider_bad_answer"),
        (said('{"thinking": "t", "answer_choice": -1}'), "provider_bad_answer"),
        (said('{"thinking": "t"}'), "provider_bad_answer"),
    ],
)
def test_where_the_judge_fails_chance_picks(line, verdict, code):
    served = set()
    for _ in range(40):
        it = line(toml("a", "b"), script(ANSWERS, verdict))
        (block,) = content(it.infer(variant_name="best"))
        served.add(block["text"])
        assert strategy(it)["fallback"] == code
        assert it.counted("judge_failures") == {("f", "best"): 1}
    assert served == {"A.", "B."}


def test_without_a_survivor_the_variant_fails(line):
    it = line(toml("a", "b"), script({"a": refusal(500), "b": refusal(400)}, said()))
    with pytest.raises(AllCandidatesFailed) as caught:
        it.infer(variant_name="best")
    assert caught.value.status == 502 and "a: all providers" in caught.value.message
    assert (it.row.status, it.row.error_code) == ("error", "all_candidates_failed")
    assert len(it.attempts) == 2 and strategy(it)["failed"].keys() == {"0", "1"}
    only = 'experimentation = { type = "static", candidate_variants = ["best"], fallback_variants = ["c"] }'
    it = line(
        toml("a", "b", functions=only, models=model("c")) + 'variants.c = { type = "chat_completion", model = "c" }\n',
        script({"a": refusal(500), "b": refusal(500), "c": said("C.")}, said()),
    )
    assert content(it.infer()) == [{"type": "text", "text": "C."}]
    assert it.row.fallback_reason.startswith("best: all candidates of 'best' failed")


def test_a_sampled_one_that_fails_is_wrapped(line):
    only = 'experimentation = { type = "static", candidate_variants = ["best"] }'
    it = line(toml("a", "b", functions=only), script({"a": refusal(500), "b": refusal(500)}, said()))
    with pytest.raises(AllVariantsFailed):
        it.infer()


def test_the_same_candidate_may_answer_twice(line):
    it = line(toml("a", "a"), script({"a": [said("One."), said("Two.")]}, picks("Two.")))
    assert content(it.infer(variant_name="best")) == [{"type": "text", "text": "Two."}]
    assert strategy(it)["candidates"] == ["a", "a"]


def test_candidates_may_be_composed_themselves(line):
    text = toml("a", "b") + best("best", "a", name="outer")
    it = line(text, script({"a": said("A."), "b": said("B.")}, picks("B.")))
    assert content(it.infer(variant_name="outer")) == [{"type": "text", "text": "B."}]
    assert it.sender.asked.count("p.a") == 2 and it.sender.asked.count("p.judge") == 2
    assert it.row.variant_name == "outer" and strategy(it)["candidates"] == ["best", "a"]
    assert [row.attempt for row in it.attempts] == [1, 2, 3, 4, 5]
    assert it.infer(variant_name="outer").usage.input_tokens == 35


def test_json_that_breaks_the_schema_is_hidden_from_the_judge(line, tmp_path):
    (tmp_path / "out.json").write_text('{"type": "object", "required": ["x"]}')
    answers = {"a": said('{"y": 1}'), "b": said('{"x": 1}'), "c": said('{"x": 2}')}
    text = toml("a", "b", "c", kind="json", functions='output_schema = "out.json"', mode='json_mode = "on"')
    it = line(text, script(answers, picks('{"x": 2}')))
    assert it.infer(variant_name="best").raw == '{"x": 2}'
    assert '{"y": 1}' not in it.sender.bodies[-1]["messages"][-1]["content"]
    assert sorted(strategy(it)["order"]) == [1, 2]
    it = line(text, script({**answers, "c": said("nothing")}, said("unasked")))
    assert it.infer(variant_name="best").raw == '{"x": 1}' and "p.judge" not in it.sender.asked
    it = line(text, script({"a": said("1"), "b": said("2"), "c": said("3")}, said("unasked")))
    assert it.infer(variant_name="best").parsed is None


def test_a_stream_is_the_whole_answer_at_once(line):
    it = line(toml("a", "b"), script(ANSWERS, picks("A.")))
    stream, chunks = it.stream(variant_name="best")
    assert [delta.text for chunk in chunks for delta in chunk.content] == ["A."]
    assert content(stream.answered) == [{"type": "text", "text": "A."}]
    assert stream.answered.usage.input_tokens == 21
    assert stream.answered.finish_reason == "stop"
    assert not any(body.get("stream") for body in it.sender.bodies)
    assert len(it.attempts) == 3 and it.row.stream and it.row.ttft_ms > 0
    assert strategy(it)["chosen"] == 0


def test_scoped_changes_reach_those_they_are_for(line):
    it = line(toml("a", "b"), script(ANSWERS, picks("A.")))
    changes = (
        ExtraBody("/everyone", 1),
        ExtraBody("/only_a", 1, scope=Scope(variant_name="a")),
        ExtraBody("/only_judge", 1, scope=Scope(model_name=JUDGED)),
    )
    it.infer(variant_name="best", extra_body=changes, provider_tools=(ProviderTool({"type": "web_search"}),))
    sent = dict(zip(it.sender.asked, it.sender.bodies, strict=True))
    assert all(body["everyone"] == 1 for body in sent.values())
    assert [name for name, body in sent.items() if "only_a" in body] == ["p.a"]
    assert [name for name, body in sent.items() if "only_judge" in body] == ["p.judge"]
    assert "tools" in sent["p.a"] and "tools" not in sent["p.judge"]


def test_the_judges_own_template_comes_first(line, tmp_path):
    (tmp_path / "judge.txt").write_text("You know {x}.")
    (tmp_path / "system.json").write_text('{"type": "object"}')
    (tmp_path / "s.txt").write_text("Be {x}.")
    templates = 'templates.system.path = "s.txt"'
    text = toml(
        "a",
        "b",
        judge='templates.system.path = "judge.txt"',
        functions='schemas.system.path = "system.json"',
        mode=templates,
    ).replace("{x}", "{{ x }}")
    (tmp_path / "judge.txt").write_text("You know {{ x }}.")
    (tmp_path / "s.txt").write_text("Be {{ x }}.")
    from calibrant.types.content import Text
    from calibrant.types.message import Input, Message

    given = Input((Message("user", (Text("Hi {system}"),)),), {"x": "{system} all"})
    it = line(text, script(ANSWERS, picks("A.")))
    it.infer(variant_name="best", input=given)
    bodies = dict(zip(it.sender.asked, it.sender.bodies, strict=True))
    assert bodies["p.a"]["messages"][0]["content"] == "Be {system} all."
    assert "You know {system} all." in bodies["p.judge"]["messages"][0]["content"]
    assert bodies["p.judge"]["messages"][1]["content"] == "Hi {system}"


def test_time_is_up_for_all_at_once(line):
    def slow(call):
        return InferenceTimeout("the network's")

    it = line(
        toml("a", "b", extra="timeouts = { non_streaming = { total_ms = 1 } }"),
        lambda call: __import__("time").sleep(0.002) or slow(call),
    )
    with pytest.raises(InferenceTimeout, match="the variant 'best' ran out of time"):
        it.infer(variant_name="best")
    assert it.row.error_code == "timeout" and len(it.attempts) >= 1


def test_a_credential_that_nobody_sent_is_the_callers_fault(line):
    text = toml("a", "b").replace('api_key_location = "none"', 'api_key_location = "dynamic::key"')
    it = line(text, said())
    with pytest.raises(MissingCredential):
        it.infer(variant_name="best")


FALLBACK = 'experimentation = { type = "static", candidate_variants = ["best"], fallback_variants = ["c"] }'
PLAIN = 'variants.c = { type = "chat_completion", model = "c" }\n'


def test_its_time_and_its_round_end_with_it(line):
    """What serves after it has its own time, and no word of its round."""
    text = toml(
        "a", "b", functions=FALLBACK, models=model("c"), extra="timeouts = { non_streaming = { total_ms = 1 } }"
    )

    def step(call):
        if call.url.split("/")[2] == "p.c":
            return said("C.")
        import time

        time.sleep(0.002)
        return InferenceTimeout("the network's")

    it = line(text + PLAIN, step)
    answered = it.infer()
    assert content(answered) == [{"type": "text", "text": "C."}]
    assert it.row.variant_name == "c" and it.row.strategy is None
    assert answered.usage.input_tokens == 7


def test_a_fault_in_one_candidate_does_not_end_the_others(line, caplog):
    it = line(toml("a", "b", "c"), script({**ANSWERS, "a": ValueError("a bug")}, picks("C.")))
    assert content(it.infer(variant_name="best")) == [{"type": "text", "text": "C."}]
    assert strategy(it)["failed"] == {"0": "internal_error"} and "a bug" in caplog.text
    assert it.counted("internal_errors") == {("candidate",): 1}


def test_the_judge_has_the_time_of_the_first_chunk_alone(line):
    it = line(
        toml("a", "b", extra="timeouts = { streaming = { ttft_ms = 60000, total_ms = 90000 } }"),
        script(ANSWERS, picks("A.")),
    )
    it.stream(variant_name="best")
    (judged,) = [d for d, host in zip(it.sender.deadlines, it.sender.asked, strict=True) if host == "p.judge"]
    others = [d for d, host in zip(it.sender.deadlines, it.sender.asked, strict=True) if host != "p.judge"]
    assert judged.total == others[0].total
    assert Limit(9.0, "x", 3.0, "y").until_first().total == 3.0


def test_the_judge_judges_what_is_served(line, tmp_path):
    (tmp_path / "out.json").write_text('{"type": "object", "required": ["x"]}')
    talks = said('{"x": 1}')
    text = toml("a", "b", kind="json", functions='output_schema = "out.json"', mode='json_mode = "on"')
    it = line(text, script({"a": talks, "b": said('{"x": 2}')}, picks('{"x": 1}')))
    assert it.infer(variant_name="best").raw == '{"x": 1}'


def test_thoughts_are_not_shown_to_the_judge(line):
    thinks = said("A.")
    thinks["choices"][0]["message"]["reasoning_content"] = "secret reasoning"
    text = toml("a", "b").replace('type = "openai"', 'type = "openai"', 1)
    it = line(text, script({"a": thinks, "b": said("B.")}, picks("A.")))
    it.infer(variant_name="best")
    assert "secret reasoning" not in it.sender.bodies[-1]["messages"][-1]["content"]


def test_who_left_has_no_answer(line):
    from calibrant.base.errors import ClientDisconnected
    from calibrant.engine.engine import Caller
    from calibrant.engine.presence import Presence

    presence = Presence()

    def leaves(call):
        if call.url.split("/")[2] == "p.b":
            presence.leave()
            return ClientDisconnected("left")
        return said("A.")

    it = line(toml("a", "b"), leaves)
    with pytest.raises(ClientDisconnected):
        it.infer(Caller(presence=presence), variant_name="best")
    assert it.row.error_code == "client_disconnected" and strategy(it)["chosen"] is None
