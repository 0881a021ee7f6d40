"""What the judges of Anthropic's dialect ask: the same scripts behind providers of three dialects."""

from calibrant.testing.faults import Answer, Script, Tokens, ToolUse, json_answer

CALLS = (
    ToolUse(name="weather", arguments='{"city":"Paris"}'),
    ToolUse(name="weather", arguments='{"city":"Oslo"}'),
)
SCRIPTS = {
    "plain": Script(Answer(tokens=Tokens(prompt=11, completion=7, cached=4))),
    "tools": Script(Answer(text="Let me see.", tool_calls=CALLS)),
    "thinking": Script(Answer(text="Yes.", reasoning="Hm, well.", tool_calls=CALLS[:1])),
    "json": Script(json_answer({"name": "Ada", "age": 36})),
    "long": Script(Answer(text="and so on", finish_reason="length")),
    "away": Script(status=500),
    "breaks": Script(Answer(text="one two three four"), fault="truncated", after_chunks=4),
}
DIALECTS = {"openai": "/v1", "anthropic": "/v1", "google_ai_studio_gemini": "/v1beta"}


def models_of(upstream):
    """A model for every script behind every dialect, such as `openai-plain`."""
    return "".join(
        f'[models.{kind}-{name}]\nrouting = ["p"]\n'
        f'[models.{kind}-{name}.providers.p]\ntype = "{kind}"\nmodel_name = "{name}"\n'
        f'api_base = "{upstream.origin}{base}"\napi_key_location = "none"\n'
        for kind, base in DIALECTS.items()
        for name in SCRIPTS
    )
