"""What can be asked of a world, in one place. Pure: chance comes as an `rng`, moments as numbers.

It is the oracle of what measures (does an interval cover, how often is the wrong variant shipped, is a fault found),
and never evidence that something improves accuracy on real tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from calibrant.demo.simlm import items as population
from calibrant.demo.simlm import judging, traffic, truth
from calibrant.demo.simlm.chance import Floats, key_of, uniforms
from calibrant.demo.simlm.items import Bools, Ints, injected_in, integers
from calibrant.demo.simlm.judging import Outputs
from calibrant.demo.simlm.parameters import Parameters
from calibrant.demo.simlm.reply import options_of, words_of
from calibrant.demo.simlm.traffic import Given

__all__ = ["PURPOSE", "World"]

PURPOSE: Final = "the oracle of what measures; never evidence that something improves accuracy on real tasks"

_OUTCOME: Final = key_of("outcome")


class World(Struct, frozen=True):
    """A simulated world: items, answers, judges, users and faults, all known.

    An item is an integer from 0 on; a prompt is what a model is told beside the item. `at` is a moment of drift and
    changes, in the unit that `parameters.moment` says, for all items or for each. `model` is the first one unless it
    is named.
    """

    parameters: Parameters = Parameters()

    @property
    def model(self) -> str:
        """The model that is meant where none is named."""
        return next(iter(self.parameters.models))

    def clusters(self, items: ArrayLike) -> Ints:
        """Return the cluster of each item."""
        return population.clusters_of(self.parameters, items)

    def types(self, items: ArrayLike) -> Ints:
        """Return the type of each item, as its place in `parameters.types`."""
        return population.types_of(self.parameters, items)

    def text(self, item: int) -> str:
        """Return an item as the task that a user sends."""
        return population.text_of(self.parameters, item)

    def answer(self, item: int) -> str:
        """Return the right answer to an item."""
        return self.parameters.options[int(population.answers_of(self.parameters, item))]

    def probability(
        self, items: ArrayLike, prompts: str | Sequence[str], *, model: str | None = None, at: ArrayLike = 0.0
    ) -> Floats:
        """Return P(correct) of each item; for several prompts, a row for each.

        Raises:
            ValueError: an item is no integer from 0 on.
            KeyError: there is no such model.
        """
        asked = [prompt.strip() for prompt in ([prompts] if isinstance(prompts, str) else prompts)]
        found = truth.probabilities_of(self.parameters, items, asked, model or self.model, at)
        return found[0] if isinstance(prompts, str) else found

    def outcomes(
        self,
        items: ArrayLike,
        prompts: str | Sequence[str],
        rng: np.random.Generator | None = None,
        *,
        model: str | None = None,
        at: ArrayLike = 0.0,
    ) -> Bools:
        """Return which items are answered right; for several prompts, a row for each.

        Args:
            items: Numbers of items.
            prompts: One prompt, or several.
            rng: Draws anew, as at a temperature; without it the outcome is a hash of seed, item, prompt and model,
                as at temperature 0. A changed model is another one.
            model: Which model answers.
            at: The moment, for all items or for each.
        """
        name, chances = model or self.model, self.probability(items, prompts, model=model, at=at)
        if rng is not None:
            return rng.random(chances.shape) < chances
        changed = np.sum([np.asarray(at) >= change.at for change in self.parameters.changes], axis=0, dtype=np.int64)
        asked = [prompts] if isinstance(prompts, str) else prompts
        keys = np.array([key_of(prompt.strip()) for prompt in asked], dtype=np.int64)
        # One prompt stands for all items, several are the rows.
        keys = keys[0] if isinstance(prompts, str) else keys.reshape(-1, *(1 for _ in chances.shape[1:]))
        drawn = uniforms(self.parameters.seed, _OUTCOME, key_of(name), integers(items), keys, changed)
        return drawn < chances

    def accuracy(
        self, prompt: str, items: ArrayLike | None = None, *, model: str | None = None, at: float = 0
    ) -> float:
        """Return P(correct) over the population of items, or over some of them."""
        if items is None:
            return truth.accuracy_of(self.parameters, prompt.strip(), model or self.model, at)
        return float(self.probability(items, prompt, model=model, at=at).mean())

    def true_effect(
        self, first: str, second: str, items: ArrayLike | None = None, *, model: str | None = None, at: float = 0
    ) -> float:
        """Return how much more accurate the second prompt is, over the population of items or over some of them."""
        before, after = (self.accuracy(prompt, items, model=model, at=at) for prompt in (first, second))
        return after - before

    def icc(self, prompt: str, *, model: str | None = None, at: float = 0) -> float:
        """Return the intraclass correlation of right and wrong within clusters, over the population."""
        return truth.icc_of(self.parameters, prompt.strip(), model or self.model, at)

    def outputs(self, items: ArrayLike, prompt: str, correct: ArrayLike, *, model: str | None = None) -> Outputs:
        """Return the answers that were right or wrong as a judge sees them."""
        name = model or self.model
        return Outputs(
            integers(items),
            options_of(self.parameters, items, prompt, correct),
            words_of(self.parameters, items, prompt, name),
            injected_in(self.parameters, items),
            self.parameters.models[name].family,
        )

    def judge(
        self, name: str, outputs: Outputs, rng: np.random.Generator | None = None, *, at: ArrayLike = 0.0
    ) -> Bools:
        """Return which answers a judge passes; without `rng` it always says the same of the same answer.

        Raises:
            KeyError: there is no such judge.
        """
        return judging.verdicts(self.parameters, name, outputs, rng, at)

    def prefers_first(
        self,
        name: str,
        first: Outputs,
        second: Outputs,
        rng: np.random.Generator | None = None,
        *,
        at: ArrayLike = 0.0,
    ) -> Bools:
        """Return which first answers a judge prefers to the second that it is shown beside it."""
        return judging.preferred(self.parameters, name, first, second, rng, at)

    def feedback(self, correct: ArrayLike, rng: np.random.Generator) -> Given:
        """Return what users say of answers that are right or wrong, and when."""
        return traffic.feedback_on(self.parameters, correct, rng)

    def assign(self, units: ArrayLike, weights: Sequence[float]) -> Ints:
        """Return the variant of each unit, as its place in the weights asked for, with the bug that the world has.

        Raises:
            ValueError: the weights are no weights, or the bug is one of another number of variants.
        """
        return traffic.assigned(self.parameters, units, weights)

    def weights_done(self, weights: Sequence[float]) -> Floats:
        """Return the chance that a unit really has of each variant when `weights` are asked for."""
        return traffic.weights_done(self.parameters, weights)

    def latency_s(self, rng: np.random.Generator) -> tuple[float, float]:
        """Return seconds until the first token, and for each token after it."""
        slow = self.parameters.latency
        return slow.first_ms * float(np.exp(slow.spread * rng.standard_normal())) / 1000, slow.token_ms / 1000

    def cost(self, prompt_tokens: int, completion_tokens: int, *, model: str | None = None) -> float:
        """Return what a call costs, in US dollars."""
        priced = self.parameters.models[model or self.model]
        return (prompt_tokens * priced.input_price + completion_tokens * priced.output_price) / 1e6

    def describe(self) -> str:
        """Return the world as one line of JSON, which stands beside every result that used it.

        The same world has the same text, and the parameters in it are the file of this world.
        """
        rules = self.parameters.rules
        known = {
            "accuracy": round(self.accuracy(""), 6),
            "icc": round(self.icc(""), 6),
            # No effect is 0.0, not -0.0.
            "effects": {name: round(self.true_effect("", rule.phrase), 6) + 0.0 for name, rule in rules.items()},
        }
        found = {"simlm": 1, "purpose": PURPOSE, "parameters": self.parameters, "truth": known}
        return msgspec.json.encode(found).decode()
