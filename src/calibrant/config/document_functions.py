"""The sections about functions: `[functions.F]` with all that is in it, and `[evaluations.E]`."""

# ruff: noqa: RUF012 - msgspec gives each value its own empty table

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from calibrant.config.document_parts import ExtraBody, ExtraHeader, RetriesTable, Table, TimeoutsTable, Whole
from calibrant.config.marks import JsonFile, TemplateFile, TextFile
from calibrant.config.schema import PayloadPolicy
from calibrant.types.request import JsonMode

__all__ = [
    "Adaptive",
    "AnyJudge",
    "AnyVariant",
    "BestOfN",
    "BestOfNAsDocumented",
    "Called",
    "ChainOfThought",
    "ChatCompletion",
    "ChatFunction",
    "Evaluation",
    "Evaluator",
    "ExactMatch",
    "Experimentation",
    "FunctionRecord",
    "FunctionTable",
    "InContextLearning",
    "InputWrappers",
    "JsonFunction",
    "Judge",
    "JudgeBestOfN",
    "JudgeChainOfThought",
    "JudgeChatCompletion",
    "JudgeInContextLearning",
    "JudgeInclude",
    "JudgeMixtureOfN",
    "JudgeVariant",
    "LlmJudge",
    "MixtureOfN",
    "Prompted",
    "Regex",
    "SchemaPath",
    "Segment",
    "SetF1",
    "Share",
    "SpecificTool",
    "Static",
    "StaticWeights",
    "TemplatePath",
    "ToolUse",
    "TrackAndStop",
    "TypeScript",
    "Uniform",
    "Variant",
    "Weights",
    "calls_of",
]

Share = Annotated[float, Meta(ge=0)]
Weights = dict[str, Share]


class SchemaPath(Table, frozen=True, kw_only=True):
    """`schemas.N`."""

    path: JsonFile


class TemplatePath(Table, frozen=True, kw_only=True):
    """`templates.N`."""

    path: TemplateFile


class InputWrappers(Table, frozen=True, kw_only=True):
    """`input_wrappers`: what came before templates had names."""

    system: TemplateFile | None = None
    user: TemplateFile | None = None
    assistant: TemplateFile | None = None


class Variant(Table, frozen=True, kw_only=True):
    """What every variant has."""

    weight: Share | None = None
    timeouts: TimeoutsTable = TimeoutsTable()
    namespace: str | None = None


class Called(Variant, frozen=True, kw_only=True):
    """A variant, or a part of one, that calls a model."""

    model: Annotated[str, Meta(min_length=1)]
    json_mode: JsonMode | None = None
    retries: RetriesTable = RetriesTable()
    extra_body: tuple[ExtraBody, ...] = ()
    extra_headers: tuple[ExtraHeader, ...] = ()

    temperature: float | None = None
    max_tokens: Whole | None = None
    seed: int | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop_sequences: tuple[str, ...] | None = None
    reasoning_effort: str | None = None
    thinking_budget_tokens: int | None = None
    service_tier: Literal["auto", "default", "flex", "priority"] | None = None
    verbosity: str | None = None


class Prompted(Called, frozen=True, kw_only=True):
    """One call of a model with templates."""

    templates: dict[str, TemplatePath] = {}
    system_template: TemplateFile | None = None
    user_template: TemplateFile | None = None
    assistant_template: TemplateFile | None = None
    input_wrappers: InputWrappers = InputWrappers()


class ChatCompletion(Prompted, tag="chat_completion", tag_field="type", frozen=True, kw_only=True):
    """One templated call."""


class Judge(Prompted, frozen=True, kw_only=True):
    """The `evaluator` of best-of-n or the `fuser` of mixture-of-n."""


class BestOfN(Variant, tag="experimental_best_of_n_sampling", tag_field="type", frozen=True, kw_only=True):
    """Several candidates, and a model that picks one."""

    candidates: tuple[str, ...]
    evaluator: Judge
    timeout_s: float | None = None


class BestOfNAsDocumented(BestOfN, tag="experimental_best_of_n", tag_field="type", frozen=True, kw_only=True):
    """The same under the name that TensorZero's documentation gives it."""


class MixtureOfN(Variant, tag="experimental_mixture_of_n", tag_field="type", frozen=True, kw_only=True):
    """Several candidates, and a model that makes one of them."""

    candidates: tuple[str, ...]
    fuser: Judge
    timeout_s: float | None = None


class InContextLearning(
    Called, tag="experimental_dynamic_in_context_learning", tag_field="type", frozen=True, kw_only=True
):
    """Examples from the record, nearest first."""

    embedding_model: Annotated[str, Meta(min_length=1)] | None = None
    k: Annotated[int, Meta(ge=1)]
    system_instructions: TextFile | None = None
    max_distance: float | None = None


class ChainOfThought(Prompted, tag="experimental_chain_of_thought", tag_field="type", frozen=True, kw_only=True):
    """A JSON answer with room to think first."""


AnyVariant = ChatCompletion | BestOfN | BestOfNAsDocumented | MixtureOfN | InContextLearning | ChainOfThought


def calls_of(variant: AnyVariant) -> tuple[tuple[tuple[str, ...], Called], ...]:
    """Return the calls of models that a variant itself describes, each with its path within the variant."""
    match variant:
        case BestOfN():
            return ((("evaluator",), variant.evaluator),)
        case MixtureOfN():
            return ((("fuser",), variant.fuser),)
        case Called():
            return (((), variant),)


class Segment(Table, frozen=True, kw_only=True):
    """`segments`: requests with these tags, and what is drawn for them. Ours."""

    tags: dict[str, str]
    candidate_variants: tuple[str, ...] | Weights
    fallback_variants: tuple[str, ...] = ()


class Static(Table, tag="static", tag_field="type", frozen=True, kw_only=True):
    """Fixed weights."""

    candidate_variants: tuple[str, ...] | Weights
    fallback_variants: tuple[str, ...] = ()
    unit: Annotated[str, Meta(min_length=1)] | None = None
    segments: tuple[Segment, ...] = ()
    namespaces: dict[str, Experimentation] = {}


class StaticWeights(Table, tag="static_weights", tag_field="type", frozen=True, kw_only=True):
    """Fixed weights, as they were written before."""

    candidate_variants: Weights
    fallback_variants: tuple[str, ...] = ()
    namespaces: dict[str, Experimentation] = {}


class Uniform(Table, tag="uniform", tag_field="type", frozen=True, kw_only=True):
    """Equal weights, as they were written before."""

    candidate_variants: tuple[str, ...] | None = None
    fallback_variants: tuple[str, ...] | None = None
    namespaces: dict[str, Experimentation] = {}


class _Bandit(Table, frozen=True, kw_only=True):
    metric: str
    candidate_variants: tuple[str, ...]
    fallback_variants: tuple[str, ...] = ()
    min_samples_per_variant: Whole = 10
    max_samples_per_variant: Whole = 10_000
    delta: float = 0.05
    epsilon: float = 0.0
    update_period_s: Whole = 300
    min_prob: float = 0.0
    namespaces: dict[str, Experimentation] = {}


class Adaptive(_Bandit, tag="adaptive", tag_field="type", frozen=True, kw_only=True):
    """Weights that follow the feedback."""

    algorithm: Literal["track_and_stop"] = "track_and_stop"


class TrackAndStop(_Bandit, tag="track_and_stop", tag_field="type", frozen=True, kw_only=True):
    """The same, as it was written before."""


Experimentation = Static | StaticWeights | Uniform | Adaptive | TrackAndStop


class _Scored(Table, frozen=True, kw_only=True):
    cutoff: float | None = None


class ExactMatch(_Scored, tag="exact_match", tag_field="type", frozen=True, kw_only=True):
    """Is the output the reference?"""


class Regex(_Scored, tag="regex", tag_field="type", frozen=True, kw_only=True):
    """Does the output match?"""

    must_match: str | None = None
    must_not_match: str | None = None


class ToolUse(_Scored, tag="tool_use", tag_field="type", frozen=True, kw_only=True):
    """Were the right tools called?"""

    behavior: Literal["none", "none_of", "any", "any_of", "all_of"]
    tools: tuple[str, ...] = ()


class SetF1(_Scored, tag="set_f1", tag_field="type", frozen=True, kw_only=True):
    """How much of what was to be found was found? Ours."""

    field: str | None = None


class JudgeInclude(Table, frozen=True, kw_only=True):
    """`include` of a judge."""

    reference_output: bool = False


class JudgeVariant(Called, frozen=True, kw_only=True):
    """What every variant of a judge has."""

    active: bool | None = None
    system_instructions: TextFile


class JudgeChatCompletion(JudgeVariant, tag="chat_completion", tag_field="type", frozen=True, kw_only=True):
    """A judge in one call."""


class JudgeChainOfThought(
    JudgeVariant, tag="experimental_chain_of_thought", tag_field="type", frozen=True, kw_only=True
):
    """A judge that thinks first."""


class JudgeInContextLearning(
    JudgeVariant, tag="experimental_dynamic_in_context_learning", tag_field="type", frozen=True, kw_only=True
):
    """A judge with examples."""

    embedding_model: str
    k: Annotated[int, Meta(ge=1)]
    max_distance: float | None = None


class JudgeBestOfN(Table, tag="experimental_best_of_n_sampling", tag_field="type", frozen=True, kw_only=True):
    """A judge of judges."""

    active: bool | None = None
    timeouts: TimeoutsTable = TimeoutsTable()
    candidates: tuple[str, ...]
    evaluator: JudgeVariant
    timeout_s: float | None = None


class JudgeMixtureOfN(Table, tag="experimental_mixture_of_n", tag_field="type", frozen=True, kw_only=True):
    """A mixture of judges."""

    active: bool | None = None
    timeouts: TimeoutsTable = TimeoutsTable()
    candidates: tuple[str, ...]
    fuser: JudgeVariant
    timeout_s: float | None = None


AnyJudge = JudgeChatCompletion | JudgeChainOfThought | JudgeInContextLearning | JudgeBestOfN | JudgeMixtureOfN


class LlmJudge(_Scored, tag="llm_judge", tag_field="type", frozen=True, kw_only=True):
    """Does a model like the output?"""

    input_format: Literal["serialized", "messages"] = "serialized"
    output_type: Literal["float", "boolean"]
    optimize: Literal["min", "max"]
    include: JudgeInclude = JudgeInclude()
    description: str | None = None
    variants: dict[str, AnyJudge]


class TypeScript(_Scored, tag="typescript", tag_field="type", frozen=True, kw_only=True):
    """A score in TypeScript."""

    typescript_file: TextFile
    output_type: Literal["float", "boolean"]
    optimize: Literal["min", "max"]


Evaluator = ExactMatch | Regex | ToolUse | SetF1 | LlmJudge | TypeScript


class Evaluation(Table, tag="inference", tag_field="type", frozen=True, kw_only=True):
    """`[evaluations.E]`: evaluators as they were grouped before."""

    function_name: str
    evaluators: dict[str, Evaluator] = {}
    description: str | None = None


class FunctionRecord(Table, frozen=True, kw_only=True):
    """`functions.F.record`: ours."""

    payloads: PayloadPolicy | None = None


class _Function(Table, frozen=True, kw_only=True):
    variants: dict[str, AnyVariant]
    description: str = ""
    schemas: dict[str, SchemaPath] = {}
    system_schema: JsonFile | None = None
    user_schema: JsonFile | None = None
    assistant_schema: JsonFile | None = None
    experimentation: Experimentation | None = None
    evaluators: dict[str, Evaluator] = {}
    record: FunctionRecord = FunctionRecord()


class SpecificTool(Table, frozen=True, kw_only=True):
    """`tool_choice = { specific = "name" }`."""

    specific: str


class ChatFunction(_Function, tag="chat", tag_field="type", frozen=True, kw_only=True):
    """A function that answers with content blocks."""

    tools: tuple[str, ...] = ()
    tool_choice: Literal["none", "auto", "required"] | SpecificTool = "auto"
    parallel_tool_calls: bool | None = None


class JsonFunction(_Function, tag="json", tag_field="type", frozen=True, kw_only=True):
    """A function that answers with JSON."""

    output_schema: JsonFile | None = None


FunctionTable = ChatFunction | JsonFunction
