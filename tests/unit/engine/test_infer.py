"""One inference from request to answer: variants in their order, the wrapping of errors, what is counted."""

import pytest
from tests.support.engine import Line, content, event, function, model, refusal, said, streamed, variant

from calibrant.base.errors import (
    AllVariantsFailed,
    MissingCredential,
    ProvidersExhausted,
    RenderError,
    SpoolFull,
    Unreachable,
)
from calibrant.engine.engine import Caller
from calibrant.types.content import Text
from calibrant.types.message import Input, Message
from calibrant.types.request import Params

THREE = (
    model("first")
    + model("second")
    + model("third")
    + function(
        variant("a", "first", "retries = { num_retries = 1, max_delay_s = 0.1 }"),
        variant("b", "second"),
        variant("c", "third"),
        extra='experimentation = { type = "static", candidate_variants = { a = 1, b = 0 }, fallback_variants = ["c"] }',
    )
)


def test_an_answer_says_who_gave_it(line):
    it = line(model() + function(), said("Hello."))
    answered = it.infer(episode_id="e")
    assert content(answered) == [{"type": "text", "text": "Hello."}]
    head = answered.head
    assert (head.function_name, head.variant_name, head.function_type, head.episode_id) == ("f", "v", "chat", "e")
    assert (answered.usage.input_tokens, answered.usage.output_tokens, answered.finish_reason) == (7, 3, "stop")
    assert head.inference_id == it.row.id


def test_variants_follow_one_another_after_all_retries(line, pauses):
    it = line(THREE, refusal(), refusal(), said("Third."))
    answered = it.infer()
    assert it.sender.asked == ["p.first", "p.first", "p.third"]
    assert answered.head.variant_name == it.row.variant_name == "c"
    assert (it.row.assigned_variant, it.row.probability) == ("a", 1.0)
    assert it.row.fallback_reason.startswith("a: all providers of the model 'first' failed: p: provider 'p'")
    assert [(row.attempt, row.variant_name) for row in it.attempts] == [(1, "a"), (2, "a"), (3, "c")]


def test_the_next_candidate_is_drawn_before_the_fallbacks_come(line):
    it = line(THREE.replace("a = 1, b = 0", "a = 1, b = 1"), refusal(400))
    with pytest.raises(AllVariantsFailed) as caught:
        it.infer()
    assert set(it.sender.asked[:2]) == {"p.first", "p.second"}
    assert it.sender.asked[2] == "p.third"
    assert all(f"{name}: all providers" in caught.value.message for name in "abc")


def test_when_every_variant_failed_it_is_a_502_that_is_recorded(line, pauses):
    it = line(THREE, refusal(429))
    with pytest.raises(AllVariantsFailed) as caught:
        it.infer()
    assert caught.value.status == it.row.http_status == 502
    assert (it.row.status, it.row.error_code, it.row.variant_name) == ("error", "all_variants_failed", "c")
    assert it.row.output is None
    assert {row.http_status for row in it.attempts} == {429}
    assert it.counted("inferences") == {("inference", "f", "third", "all_variants_failed"): 1}


@pytest.mark.parametrize("pinned", [True, False])
@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize(
    ("fault", "error"),
    [("provider", ProvidersExhausted), ("credential", MissingCredential), ("template", RenderError)],
)
def test_the_error_of_a_pinned_variant_comes_unwrapped_and_that_of_a_drawn_one_as_502(
    line, tmp_path, fault, error, pinned, streams
):
    (tmp_path / "system.minijinja").write_text("{{ missing }}")
    extra = 'templates.system.path = "system.minijinja"' if fault == "template" else ""
    key = "dynamic::mine" if fault == "credential" else "none"
    it = line(model(key=key) + function(variant(extra=extra)), Unreachable("gone"))
    run = it.stream if streams else it.infer
    with pytest.raises(error if pinned else AllVariantsFailed) as caught:
        run(**({"variant_name": "v"} if pinned else {}))
    status = {"provider": 500, "credential": 400, "template": 500}[fault] if pinned else 502
    assert caught.value.status == it.row.http_status == status
    assert it.row.error_message == caught.value.message
    assert [type(record).__name__ for record in it.records] == ["Inferred"]


def test_a_pinned_variant_has_no_fallback(line, pauses):
    it = line(THREE, refusal())
    with pytest.raises(ProvidersExhausted):
        it.infer(variant_name="a")
    assert it.sender.asked == ["p.first"] * 2
    assert (it.row.probability, it.row.fallback_reason) == (None, None)


def test_a_template_that_cannot_be_rendered_gives_the_next_variant_its_turn(line, tmp_path):
    (tmp_path / "system.minijinja").write_text("{{ missing }}")
    extra = 'experimentation = { type = "static", candidate_variants = ["a"], fallback_variants = ["b"] }'
    broken = variant("a", extra='templates.system.path = "system.minijinja"')
    it = line(model() + function(broken, variant("b"), extra=extra), said())
    assert it.infer().head.variant_name == "b"
    assert "missing" in it.row.fallback_reason
    assert len(it.attempts) == 1


def test_a_model_is_called_by_its_name_or_by_a_shorthand(line):
    it = line(model(), said(), environ={"OPENAI_API_KEY": "k"})
    configured = it.infer(model_name="m").head
    assert (configured.function_name, configured.variant_name) == ("tensorzero::default", "m")
    assert it.infer(model_name="openai::gpt-4o-mini").head.variant_name == "openai::gpt-4o-mini"
    assert it.sender.asked == ["p.m", "api.openai.com"]
    assert it.sender.bodies[1]["model"] == "gpt-4o-mini"


def test_parameters_of_the_request_win_over_the_variants(line):
    it = line(model() + function(variant(extra="temperature = 0.5, max_tokens = 9")), said())
    it.infer(params=Params(temperature=0.25, seed=1))
    body = it.sender.bodies[0]
    assert (body["temperature"], body["seed"]) == (0.25, 1)
    assert 9 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert it.row.inference_params == b'{"chat_completion":{"temperature":0.25,"seed":1}}'


def test_templates_make_what_is_sent_and_not_what_is_recorded(line, tmp_path):
    (tmp_path / "user.minijinja").write_text("<{{ user_text }}>")
    it = line(model() + function(variant(extra='user_template = "user.minijinja"')), said())
    it.infer(input=Input((Message("user", (Text("x"),)),)))
    assert "<x>" in str(it.sender.bodies[0]["messages"])
    assert it.row.input == b'{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}'


def test_a_dry_run_is_counted_and_not_recorded(line):
    it = line(model() + function(), said(), streamed("x"), refusal())
    it.spool.full = True
    assert it.infer(dryrun=True).content
    it.stream(dryrun=True)
    with pytest.raises(AllVariantsFailed):
        it.infer(dryrun=True)
    assert it.records == []
    assert sum(it.counted("inferences").values()) == 3


def test_without_the_record_everything_else_works(line):
    it = line(model() + function(), said(), streamed("x"), spool=False)
    assert it.infer().content
    assert it.stream()[0].answered.content


@pytest.mark.parametrize("streams", [True, False])
def test_without_room_nobody_is_paid(line, streams):
    it = line(model() + function())
    it.spool.full = True
    with pytest.raises(SpoolFull):
        (it.stream if streams else it.infer)()
    assert it.sender.calls == []
    assert it.counted("rejected") == {(): 1}


def test_an_answer_that_cannot_be_recorded_does_not_leave(line):
    it = line(model() + function())
    it.spool.broken = True
    with pytest.raises(SpoolFull):
        it.infer()


@pytest.mark.parametrize("streams", [True, False])
def test_a_fault_of_ours_is_recorded_and_raised(line, streams):
    def fault(call):
        raise RuntimeError("ours")

    it = line(model() + function(), fault)
    with pytest.raises(RuntimeError, match="ours"):
        (it.stream if streams else it.infer)()
    assert (it.row.status, it.row.error_code, it.row.http_status) == ("error", "internal_error", 500)


def test_what_happened_is_counted(line, pauses):
    it = line(THREE, refusal(), said())
    it.infer(Caller("openai_chat_completions"))
    assert it.counted("inferences") == {("openai_chat_completions", "f", "first", "ok"): 1}
    assert it.counted("input_tokens") == {("first",): 7}
    assert it.counted("output_tokens") == {("first",): 3}
    ((labels, histogram),) = it.engine.metrics.figures().overhead
    assert labels == ("f", "a")
    assert sum(histogram.counts) == 1


def test_tokens_of_a_broken_stream_are_counted_too(tmp_path):
    broken = streamed("x")
    broken.pieces = (*broken.pieces[:1], event(usage={"prompt_tokens": 5, "completion_tokens": 1}), Unreachable("cut"))
    it = Line(tmp_path, model() + function(), broken)
    it.stream()
    assert it.counted("input_tokens") == {("m",): 5}
