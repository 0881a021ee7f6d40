from calibrant.types.request import Params


def test_the_request_wins_over_the_variant_and_leaves_the_rest():
    asked = Params(temperature=0.0, max_tokens=5)
    configured = Params(temperature=0.9, seed=7)
    assert asked.over(configured) == Params(temperature=0.0, max_tokens=5, seed=7)


def test_nothing_asked_changes_nothing():
    configured = Params(temperature=0.9)
    assert Params().over(configured) is configured
    assert configured.over(Params()) is configured
