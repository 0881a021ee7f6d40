"""Every public function of `measure` refuses what makes no sense, by name, and has no answer that is not a number.

Each function has a row of `CASES`: a value for each of its arguments, of which `Given` knows what would be wrong in its
place. A function without a row, or a row that leaves an argument out, fails.
"""

import inspect
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path

import msgspec
import numpy as np
import pytest

from calibrant import measure
from calibrant.measure import Arm, Item, Layer, Prompt, Stratum
from calibrant.types.estimate import Estimate

HOME = str(Path(measure.__file__).parent)
N = 24


@dataclass(frozen=True)
class Given:
    """A value of an argument, and what must be refused in its place."""

    value: object
    wrong: tuple = ()
    rows: bool = False
    """Whether it has one value a row, so that fewer rows are fewer values."""
    number: bool = False


NO_LIST = (None, 0.5, "0.5", {"a": 1.0}, len)
NO_NUMBER = (None, "0.5", [0.5], True, nan, float("inf"), 1e200)


def rows(value, *wrong, aligned=True):
    """Numbers, one a row; aligned ones are as many as others of the call."""
    value = [float(each) for each in value]
    bad = (
        [[0.5]] * len(value),
        ["0.5"] * len(value),
        *([*value[:-1], each] for each in (nan, None, "1", [1.0], 1j, -1e200)),
    )
    return Given(value, (*NO_LIST, *bad, *((value[:-1],) if aligned else ()), *wrong), rows=True)


def booleans(value, *wrong, aligned=True):
    return rows(value, [0.5] * len(value), [2] * len(value), *wrong, aligned=aligned)


def bounded(value, *outside, aligned=True):
    """Numbers of a range: none of those outside may be among them."""
    return rows(value, *([*value[:-1], each] for each in outside), aligned=aligned)


def labels(value=None, n=N):
    value = value or [f"c{at % 12}" for at in range(n)]
    bad = ([*value[:-1], each] for each in (None, 1, nan, 1.5))
    return Given(value, ("ab", 3, value[:-1], [[each] for each in value], [0.5] * n, [True] * n, *bad), rows=True)


def number(value, *wrong):
    return Given(value, (*NO_NUMBER, *wrong), number=True)


def count(value, *wrong):
    return Given(value, (None, "3", [3], True, nan, 2.5, -1, float("inf"), 10**400, *wrong))


def word(value):
    return Given(value, (None, 1, "", "bool", [value]))


def texts(value, missing=False):
    bad = (None, 3, "a text", [1], [b"a"], *(() if missing else ([None],)))
    return Given(value, bad)


LEVEL = number(0.95, 0, 1, 2, -0.1, 1 - 1e-16, 1e-200)
ALPHA = number(0.05, 0, 1, 2, -0.1, 1e-200)
ONE_SIDED = number(0.05, 0, 0.5, 2, -0.1)
MARGIN = number(0.1, -0.1)
KIND = word("float")
BOOLEAN = word("boolean")
SEED = count(0)
POSITIVE = (0, -1)

draw = np.random.default_rng(4)
SCORES = [round(each, 3) for each in draw.normal(0, 1, N).tolist()]
OTHERS = [round(each, 3) for each in draw.normal(0.3, 1, N).tolist()]
PASSED = [int(each) for each in draw.random(N) < 0.6]
JUDGED = [int(each) for each in draw.random(N) < 0.7]
CHANCES = [round(each, 3) for each in draw.uniform(0.1, 0.9, N).tolist()]
ARMS = [at % 2 for at in range(N)]
PRINTS = [measure.print_of(text) for text in ("a text of some length", "another one", "a text of some lengths")]
NO_PRINTS = (None, 3, "text", [None], [[1]], [np.zeros(0, dtype=np.uint32)], [np.array([0.5])])
NO_SET = (None, "text", ["a"], 3)
ITEMS = [Item(id="1", split="val", text="one"), Item(id="2", split="train", text="two")]


def arm(scores):
    names = [str(at) for at in range(len(scores))]
    return Arm(scores=scores, items=names)


WRONG_ARMS = (
    None,
    SCORES,
    Arm(scores="abc"),
    Arm(scores=None),
    Arm(scores=[nan] * N),
    Arm(scores=SCORES, items=["a"] * N),
    Arm(scores=SCORES, items=[None] * N),
    Arm(scores=SCORES, items=3),
    Arm(scores=SCORES, items=[str(at) for at in range(N)], clusters=["a"]),
)
STRATA = {
    name: Stratum(share=0.5, labels=SCORES, judged=OTHERS, rest=SCORES, clusters=None) for name in ("short", "long")
}
WRONG_STRATA = (
    None,
    {},
    [1],
    {"a": 1.0},
    *(
        {"a": msgspec.structs.replace(STRATA["long"], **{"share": 1.0, field: wrong})}
        for field, wrong in (("share", "1"), ("share", -1), ("labels", None), ("judged", []), ("rest", [nan]))
    ),
)
LAYERS = [Layer(weight=weight, first=SCORES, second=OTHERS) for weight in (1, 2.5)]
WRONG_LAYERS = (
    None,
    3,
    "ab",
    [],
    [1.0],
    *(
        [LAYERS[0], msgspec.structs.replace(LAYERS[1], **{field: wrong})]
        for field, wrong in (
            ("weight", 0),
            ("weight", "1"),
            ("first", None),
            ("first", [1.0]),
            ("second", [nan, 1.0]),
            ("clusters_first", ["a"]),
        )
    ),
)
FITTED = measure.isotonic_of(CHANCES, PASSED)
COMPONENTS = measure.variance_components(SCORES, [at // 2 for at in range(N)])
EVIDENCE = measure.better(CHANCES)
PLANNED = {"design_effect": number(1.5, *POSITIVE), "alpha": ALPHA, "power": number(0.8, 0, 1)}
RATINGS = [[each, other] for each, other in zip(PASSED, JUDGED, strict=True)]
WRONG_RATINGS = (None, 3, "ab", [1, 2], [[1, "a"]] * 3, [[nan, 1]] * 3)
ALIKE = {"clusters": labels(), "alpha": ALPHA, "margin": MARGIN}

CASES = {
    "alpha_of": {"number": count(2, 0), "budget": number(0.05, 0, 0.5)},
    "alternative_annotator": {
        "people": Given([[*PASSED, *PASSED], [*JUDGED, *PASSED]], (*WRONG_RATINGS, [PASSED], [PASSED, [1]])),
        "judge": Given([*JUDGED, *JUDGED], (None, "ab", 3, [1], [nan] * 2 * N, [[1]] * 2 * N)),
        "epsilon": number(0.2, -0.1, 1),
        "level": LEVEL,
        "scale": word("nominal"),
        "fewest": count(30, 1, 1000),
    },
    "answers_in": {"prompts": texts(["a prompt"]), "answers": texts(["an answer", None], missing=True)},
    "bands_of": {"prints": Given(PRINTS, NO_PRINTS)},
    "bca_interval": {
        "values": rows(SCORES),
        "clusters": labels(),
        "level": LEVEL,
        "draws": count(200, 0, 1),
        "seed": SEED,
    },
    "benjamini_hochberg": {"p_values": bounded(CHANCES, -0.1, 1.1, aligned=False), "level": LEVEL},
    "benjamini_yekutieli": {"p_values": bounded(CHANCES, -0.1, 1.1, aligned=False), "level": LEVEL},
    "best_of": {"std_error": number(0.1, -1), "candidates": count(15, 0)},
    "beta_interval": {
        "successes": count(3, 6),
        "n": count(5, 2),
        "level": LEVEL,
        "prior": Given(
            (1.0, 1.0), (None, 1.0, (1.0,), (0.0, 1.0), (1.0, nan), (1.0, "1"), (1e300, 1.0), (1e-300, 1.0))
        ),
    },
    "better": {"differences": bounded(CHANCES, -1.5, 1.5, aligned=False), "margin": number(0.0, -1.5, 1)},
    "bonett_price_interval": {"first": booleans(PASSED), "second": booleans(JUDGED), "level": LEVEL},
    "calibration_of": {
        "probabilities": bounded(CHANCES, -0.1, 1.1),
        "outcomes": booleans(PASSED),
        "clusters": labels(),
        "bins": count(5, 0),
        "level": LEVEL,
    },
    "clopper_pearson_interval": {"successes": count(3, 6), "n": count(5, 2), "level": LEVEL},
    "combined": {
        "e_values": Given([1.5, 2.0], (*NO_LIST, [], [-1.0], [nan], ["1"], [None], [0.0, float("inf")], [1e200])),
        "independent": Given(True, (None, "no", 1, [True])),
    },
    "compare": {
        "first": Given(arm(SCORES), WRONG_ARMS),
        "second": Given(arm(OTHERS), WRONG_ARMS),
        "kind": KIND,
        "worst": number(0.0),
        "level": LEVEL,
        "seed": SEED,
    },
    "compare_paired": {
        "first": rows(SCORES),
        "second": rows(OTHERS),
        "clusters": labels(),
        "kind": KIND,
        "level": LEVEL,
        "flips": count(99, 0),
        "seed": SEED,
    },
    "compare_twice": {
        "first": Given(arm(SCORES), (*WRONG_ARMS, Arm(scores=SCORES))),
        "second": Given(arm(OTHERS), (*WRONG_ARMS, Arm(scores=OTHERS))),
        "clean": texts([str(at) for at in range(0, N, 2)]),
        "kind": KIND,
        "worst": number(0.0),
        "level": LEVEL,
        "seed": SEED,
    },
    "compare_layers": {"layers": Given(LAYERS, WRONG_LAYERS), "kind": KIND, "level": LEVEL},
    "compare_unpaired": {
        "first": rows(SCORES),
        "second": rows(OTHERS),
        "clusters_first": labels(),
        "clusters_second": labels(),
        "kind": KIND,
        "level": LEVEL,
    },
    "contamination_of": {
        "items": Given(ITEMS, (None, 3, "ab", [1], [ITEMS[0], ITEMS[0]], [Item(id="1", split="val", text=None)])),
        "prompts": Given([Prompt("system", "be brief")], (None, 3, ["text"], [Prompt("system", None)])),
        "judges": Given(["val"], (3, "val", ["test"], [1])),
        "threshold": number(0.8, 0, 1.5),
        "examples": count(20),
    },
    "copied_in": {"prompts": texts(["a prompt"]), "texts": texts(["a text"])},
    "corrected_mean": {
        "labels": rows(SCORES),
        "judged": rows(OTHERS),
        "rest": rows(OTHERS),
        "clusters": labels(),
        "clusters_rest": labels(),
        "kind": KIND,
        "level": LEVEL,
    },
    "cuped": {
        "first": rows(SCORES),
        "second": rows(OTHERS),
        "covariate_first": rows(OTHERS),
        "covariate_second": rows(SCORES),
        "level": LEVEL,
    },
    "decide": {
        "incumbent": rows(SCORES),
        "candidate": rows(OTHERS),
        "clusters": labels(),
        "kind": KIND,
        "alpha": ONE_SIDED,
        "margin": number(0.0),
    },
    "detectable": {
        "items": count(100, 0),
        "between": number(0.2, -1),
        "within": number(0.1, -1),
        "repeats": count(2, 0),
        **PLANNED,
    },
    "drawn_ratio": {
        "arms": labels(),
        "chances": bounded(CHANCES, 0, -0.1, 1.1),
        "phases": labels(),
        "concentration": number(100.0, *POSITIVE),
    },
    "drift": {
        "stored": rows(SCORES),
        "again": rows(OTHERS),
        "expected": number(0.9, 0, 1.1, 0.01),
        "alpha": ALPHA,
        "margin": MARGIN,
        "apart": number(0.5, -1),
    },
    "e_benjamini_hochberg": {
        "e_values": Given([1.5, 30.0, float("inf")], (*NO_LIST, [-1.0], [nan], ["1"], [None], [1e200])),
        "level": LEVEL,
    },
    "equal_means": {"values": bounded(CHANCES, -0.1, 1.1), "arms": booleans(ARMS), "strata": labels()},
    "fcr_level": {"found": count(2, 0, 11), "asked": count(10, 0), "level": LEVEL},
    "gwet_ac1": {"first": rows(PASSED), "second": rows(JUDGED), "level": LEVEL},
    "holm": {"p_values": bounded(CHANCES, -0.1, 1.1, aligned=False), "level": LEVEL},
    "injection": {
        "passed": count(3, 60),
        "n": count(50, 2),
        "alpha": ONE_SIDED,
        "tolerated": number(0.01, -1, 1),
        "margin": MARGIN,
    },
    "invariance": {"before": rows(SCORES), "after": rows(OTHERS), "kind": KIND, **ALIKE},
    "inverse_propensity_mean": {
        "labels": rows(SCORES),
        "judged": rows(OTHERS),
        "propensities": bounded(CHANCES, 0, -0.1, 1.1),
        "rest": rows(OTHERS),
        "clusters": labels(),
        "clusters_rest": labels(),
        "level": LEVEL,
    },
    "isotonic_of": {"probabilities": bounded(CHANCES, -0.1, 1.1), "outcomes": booleans(PASSED)},
    "items_for": {
        "difference": number(0.1, *POSITIVE),
        "between": number(0.2, -1),
        "within": number(0.1, -1),
        "repeats": count(2, 0),
        **PLANNED,
    },
    "items_like": {
        "difference": number(0.1, *POSITIVE),
        "std_error": number(0.02, *POSITIVE),
        "items": number(100.0, *POSITIVE),
        "alpha": ALPHA,
        "power": PLANNED["power"],
    },
    "items_needed": {
        "claimed_gain": number(0.1, *POSITIVE),
        "alpha": ONE_SIDED,
        "spread": Given(0.5, ("0.5", True, nan, -1), number=True),
        "design_effect": number(1.5, *POSITIVE),
    },
    "jaccard": {"a": Given(frozenset("ab"), NO_SET), "b": Given({"b"}, NO_SET)},
    "kappa": {"first": rows(PASSED), "second": rows(JUDGED), "weights": word("linear"), "level": LEVEL},
    "krippendorff_alpha": {"ratings": Given(RATINGS, WRONG_RATINGS), "scale": word("interval"), "level": LEVEL},
    "length_bias": {
        "people": rows(SCORES),
        "judge": rows(OTHERS),
        "lengths": bounded(range(1, N + 1), 0, -1),
        **ALIKE,
        "alpha": ONE_SIDED,
    },
    "mcnemar": {"first": booleans(PASSED), "second": booleans(JUDGED)},
    "mean_e_value": {"mean": number(0.1), "variance": number(0.2, -1), "n": number(100.0, -1), "alpha": ALPHA},
    "mean_interval": {"values": rows(SCORES), "clusters": labels(), "kind": KIND, "level": LEVEL},
    "mean_sequence": {"mean": number(0.1), "variance": number(0.2, -1), "n": number(100.0, -1), "alpha": ALPHA},
    "more_often": {"events": booleans(PASSED, aligned=False), "share": number(0.1, -0.1, 1)},
    "near_across": {
        "asked": Given(PRINTS, NO_PRINTS),
        "others": Given(PRINTS, NO_PRINTS),
        "threshold": number(0.8, 0, 2),
    },
    "near_components": {"prints": Given(PRINTS, NO_PRINTS), "threshold": number(0.8, 0, 2)},
    "near_duplicates": {
        "a": Given(frozenset("ab"), NO_SET),
        "b": Given(frozenset("b"), NO_SET),
        "threshold": number(0.8, 0, 2),
    },
    "near_pairs": {"prints": Given(PRINTS, NO_PRINTS), "threshold": number(0.8, 0, 2)},
    "order_statistic_interval": {"values": rows(SCORES, aligned=False), "quantile": number(0.5, 0, 1), "level": LEVEL},
    "overlap": {
        "a": Given(PRINTS[0], (None, "text", [1], np.zeros(0, dtype=np.uint32))),
        "b": Given(PRINTS[1], (None, "text", [1], np.zeros(0, dtype=np.uint32))),
    },
    "paired_share_items": {"difference": number(0.1, *POSITIVE, 0.5), "discordance": number(0.2, 0.05, 1.1), **PLANNED},
    "paraphrase": {
        "scores": Given(
            [list(each) for each in zip(SCORES, OTHERS, strict=True)],
            (*NO_LIST, [], SCORES, [[1.0]] * N, [[1.0, 2.0], [1.0]], [[1.0, nan]] * N, [["1", "2"]] * N),
            rows=True,
        ),
        "alpha": ALPHA,
        "margin": MARGIN,
    },
    "pass_all_k": {
        "successes": bounded([2] * N, 0.5, -1, 11),
        "attempts": bounded([10] * N, 10.5, -1, 1),
        "k": count(2, 0, 11),
        "clusters": labels(),
    },
    "pass_at_k": {
        "successes": bounded([2] * N, 0.5, -1, 11),
        "attempts": bounded([10] * N, 10.5, -1, 1),
        "k": count(2, 0, 11),
        "clusters": labels(),
    },
    "position_bias": {"straight": bounded(PASSED, 0.7, 2), "swapped": bounded(JUDGED, 0.7, 2), **ALIKE},
    "print_of": {"text": Given("a text", (None, 3, b"text", ["text"]))},
    "quantile_interval": {
        "values": rows(SCORES),
        "quantile": number(0.5, 0, 1, 50),
        "clusters": labels(),
        "level": LEVEL,
    },
    "rates": {"people": booleans(PASSED), "judge": booleans(JUDGED), "level": LEVEL},
    "ratio_interval": {
        "numerators": rows(SCORES),
        "denominators": rows(range(1, N + 1), [0] * N, [-1] * N),
        "level": LEVEL,
    },
    "reference_leak": {
        "right": rows(SCORES),
        "wrong": rows(OTHERS),
        "clusters": labels(),
        "kind": KIND,
        "chance": number(0.2),
        "alpha": ONE_SIDED,
        "margin": MARGIN,
    },
    "repeats": {
        "between": number(0.1, *POSITIVE),
        "within": number(0.2, -1),
        "item_cost": number(3.0, -1),
        "run_cost": number(1.0, *POSITIVE),
    },
    "retest": {
        "repeats": Given(
            [list(each) for each in zip(SCORES, OTHERS, strict=True)],
            (*NO_LIST, SCORES, [[1.0, nan]] * N, [["1", "2"]] * N, [[[1.0], [2.0]]] * N),
            rows=True,
        ),
        "clusters": labels(),
        "alpha": ONE_SIDED,
        "tolerated": number(0.05, -0.1, 1),
        "margin": MARGIN,
        "apart": number(0.0, -1),
    },
    "rogan_gladen": {
        "rest": booleans(PASSED, [], aligned=False),
        "judged_passed": booleans([1] * 18 + [0] * 6, [], [0] * N, aligned=False),
        "judged_failed": booleans([0] * 18 + [1] * 6, [], [1] * N, aligned=False),
        "level": LEVEL,
    },
    "sample_ratio": {
        "arms": bounded(ARMS, 0.5, 2, -1, aligned=False),
        "shares": Given([0.5, 0.5], (*NO_LIST, [], [1.0], [0.5, 0.6], [1.5, -0.5], [nan, 1.0], ["0.5", "0.5"])),
        "concentration": number(100.0, *POSITIVE),
    },
    "self_preference": {
        "people": booleans(PASSED),
        "judge": booleans(JUDGED),
        "own": booleans([*[0] * 12, *[1] * 12]),
        "clusters": labels([*["a"] * 6, *["b"] * 6, *["c"] * 6, *["d"] * 6]),
        "alpha": ONE_SIDED,
        "margin": MARGIN,
    },
    "share_sequence": {"successes": number(3.0, -1, 200), "n": number(100.0, -1, 2), "alpha": ALPHA},
    "shrunk": {"estimates": rows(SCORES), "std_errors": bounded(CHANCES, 0, -1)},
    "sign_flip": {"differences": rows(SCORES), "clusters": labels(), "flips": count(99, 0), "seed": SEED},
    "slice_means": {
        "values": rows(SCORES),
        "slices": labels(["de", "en"] * 12),
        "clusters": labels(),
        "kind": KIND,
        "level": LEVEL,
        "fewest": number(3.0, -1),
    },
    "smallest_gain": {
        "items": count(100, 0),
        "alpha": ONE_SIDED,
        "spread": Given(0.5, ("0.5", True, nan, -1), number=True),
        "design_effect": number(1.5, *POSITIVE),
    },
    "stratified_mean": {"strata": Given(STRATA, WRONG_STRATA), "kind": KIND, "level": LEVEL},
    "student_interval": {"values": rows(SCORES, aligned=False), "level": LEVEL},
    "unpaired_share_items": {"first": number(0.5, -0.1, 1.1, 0.8), "second": number(0.8, -0.1, 1.1, 0.5), **PLANNED},
    "variance_components": {"scores": rows(SCORES), "items": labels()},
    "watched_items": {
        "difference": number(0.1, *POSITIVE),
        "variance": number(0.2, *POSITIVE),
        "alpha": ALPHA,
        "power": PLANNED["power"],
    },
    "wilson_interval": {"successes": count(3, 6), "n": count(5, 2), "level": LEVEL},
    "worst_slice": {
        "values": rows(SCORES),
        "slices": Given(
            {"language": ["de", "en"] * 12}, (None, ["de"] * N, {"language": ["de"]}, {"language": [None] * N})
        ),
        "clusters": labels(),
        "kind": KIND,
        "higher_is_worse": Given(False, (None, "no", 0)),
        "fewest": number(1.0, -1),
        "level": LEVEL,
        "seed": SEED,
    },
    "Components.std_error_of": {"items": count(10, 0), "attempts": count(2, 0)},
    "Evidence.crossed": {"alpha": ALPHA},
    "Isotonic.__call__": {"probabilities": bounded(CHANCES, -0.1, 1.1, aligned=False)},
}
METHODS = {
    "Components.std_error_of": COMPONENTS.std_error_of,
    "Evidence.crossed": EVIDENCE.crossed,
    "Isotonic.__call__": FITTED,
}


def called(name):
    return METHODS.get(name) or getattr(measure, name)


def valid(name, **changed):
    return called(name)(**{**{of: given.value for of, given in CASES[name].items()}, **changed})


def public():
    """The names of public functions, and of the methods of public classes that take something."""
    for name in measure.__all__:
        found = getattr(measure, name)
        if not inspect.isclass(found):
            yield name
            continue
        for method, each in vars(found).items():
            mine = inspect.isfunction(each) and each.__module__.startswith("calibrant.measure")
            if (
                mine
                and (method == "__call__" or not method.startswith("_"))
                and len(inspect.signature(each).parameters) > 1
            ):
                yield f"{name}.{method}"


def numbers(found):
    """Every number of an answer, however deep."""
    if isinstance(found, msgspec.Struct):
        found = [getattr(found, field) for field in found.__struct_fields__]
    elif isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list | tuple | np.ndarray):
        for each in found:
            yield from numbers(each)
    elif isinstance(found, float):
        yield found


def estimates(found):
    if isinstance(found, Estimate):
        yield found
    elif isinstance(found, msgspec.Struct):
        for field in found.__struct_fields__:
            yield from estimates(getattr(found, field))
    elif isinstance(found, tuple | dict):
        for each in found.values() if isinstance(found, dict) else found:
            yield from estimates(each)


def answered(name, **changed):
    """The answer, which has no nan in it; null where the call is refused by us."""
    try:
        found = valid(name, **changed)
    except (TypeError, ValueError) as error:
        raised_by_us(error)
        return None
    assert not any(isnan(each) for each in numbers(found)), found
    return found


def raised_by_us(error):
    frame = inspect.getinnerframes(error.__traceback__)[-1]
    assert frame.filename.startswith(HOME), f"{frame.filename}:{frame.lineno}: {error!r}"


def test_every_public_function_and_every_argument_has_a_row():
    assert set(public()) == set(CASES)
    for name, case in CASES.items():
        assert list(case) and set(inspect.signature(called(name)).parameters) == set(case), name


@pytest.mark.parametrize("name", CASES)
def test_a_call_that_makes_sense_is_answered(name):
    found = valid(name)
    assert not any(isnan(each) for each in numbers(found))


@pytest.mark.parametrize(("name", "argument"), [(name, argument) for name in CASES for argument in CASES[name]])
def test_a_wrong_argument_is_refused_by_its_name(name, argument):
    for wrong in CASES[name][argument].wrong:
        if wrong is None and default_is_null(name, argument):
            continue
        with pytest.raises((TypeError, ValueError)) as raised:
            pytest.fail(f"{argument}={wrong!r} was answered: {valid(name, **{argument: wrong})!r}")
        raised_by_us(raised.value)
        # Where two arguments do not fit each other, the error may name the other one, and how many there are.
        told = [argument, str(len(wrong))] if isinstance(wrong, list) else [argument]
        assert any(word in str(raised.value) for word in told), f"{argument}={wrong!r}: {raised.value}"


def default_is_null(name, argument):
    return inspect.signature(called(name)).parameters[argument].default is None


def shortened(name, n):
    return {argument: given.value[:n] for argument, given in CASES[name].items() if given.rows}


ROWED = [name for name in CASES if any(given.rows for given in CASES[name].values())]


@pytest.mark.parametrize("kind", ["float", "boolean"])
@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("name", ROWED)
def test_no_rows_and_one_row_have_an_answer_or_are_refused(name, n, kind):
    changed = shortened(name, n)
    if kind == "boolean":
        if "kind" not in CASES[name]:
            return
        changed["kind"] = kind
        changed.update(
            {of: [1.0] * n for of, given in CASES[name].items() if given.rows and not isinstance(given.value[0], str)}
        )
    if name == "worst_slice":
        changed["slices"] = {"language": ["de"] * n}
    found = answered(name, **changed)
    for each in estimates(found):
        assert each.warnings or (each.low is not None and each.high is not None and each.n), each
        assert n or each.estimate is None, each


@pytest.mark.parametrize("name", [name for name in CASES if name not in METHODS])
def test_no_size_of_a_number_makes_an_answer_that_is_none(name):
    for size in (1e-300, 1e-40, 1e40, 1e300):
        scaled = {
            argument: (np.array(given.value) * size).tolist()
            for argument, given in CASES[name].items()
            if given.rows and not isinstance(given.value[0], str)
        }
        answered(name, **scaled)
        for argument, given in CASES[name].items():
            if given.number:
                answered(name, **{argument: size})
            elif argument in scaled:
                answered(name, **{argument: scaled[argument]})
