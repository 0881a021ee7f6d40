"""Breaker and order together, on a clock that only the test moves: providers that fail and recover as Hypothesis likes.

The machine is a gateway that makes calls of one model's providers in every possible interleaving; its invariants are
what a caller may rely on.
"""

from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from calibrant.config.schema import BreakerPolicy
from calibrant.routing.breaker import CLOSED, available, failed, is_probe, probed, released, state, succeeded
from calibrant.routing.candidates import Candidate, pick, ranked
from calibrant.routing.latency import UNKNOWN, called, expected, observed

STRATEGIES = ("ordered", "weighted", "least_latency", "cheapest")
LEASE_S = 60.0


class Call:
    def __init__(self, place, began, probe):
        self.place, self.began, self.probe = place, began, probe


class Gateway(RuleBasedStateMachine):
    @initialize(
        count=st.integers(2, 4),
        strategy=st.sampled_from(STRATEGIES),
        failures=st.integers(1, 3),
        open_s=st.sampled_from([0.5, 5.0]),
        data=st.data(),
    )
    def begin(self, count, strategy, failures, open_s, data):
        self.now = 1000.0
        self.policy = BreakerPolicy(failures=failures, open_s=open_s, max_open_s=8 * open_s)
        self.strategy = strategy
        self.breakers = [CLOSED] * count
        self.latencies = [UNKNOWN] * count
        self.weights = data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
        self.prices = data.draw(st.lists(st.none() | st.integers(0, 3).map(Decimal), min_size=count, max_size=count))
        self.running = []

    @rule(seconds=st.sampled_from([0.001, 0.4, 0.5, 3.0, 5.0, 70.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(u=st.floats(0, 1, exclude_max=True), rounds=st.integers(1, 4))
    def calls_are_begun(self, u, rounds):
        """One inference that falls over so many times; what it calls stays under way."""
        candidates = [
            Candidate(weight, expected(latency, self.now), price)
            for weight, latency, price in zip(self.weights, self.latencies, self.prices, strict=True)
        ]
        left = ranked(self.strategy, candidates, u)
        assert sorted(left) == list(range(len(self.breakers))), "nobody is lost, nobody comes twice"
        before = list(left)
        for _ in range(min(rounds, len(before))):
            free = [available(breaker, self.now) for breaker in self.breakers]
            place = pick(left, free)
            if any(free[other] for other in left):
                assert free[place], "nobody who is well stands behind an open breaker"
                assert all(not free[other] for other in left[: left.index(place)]), "and the strategy decides the rest"
            else:
                assert place == left[0], "where all are open, all are still tried, in order"
            left.remove(place)
            self._begin(place)

    def _begin(self, place):
        breaker = self.breakers[place]
        probe = is_probe(breaker, self.now)
        if probe:
            others = [c for c in self.running if c.place == place and c.probe and c.began >= breaker.since]
            assert all(self.now - other.began >= LEASE_S for other in others), "one probe at a time"
            self.breakers[place] = probed(breaker, self.now, self.now + LEASE_S)
        self.latencies[place] = called(self.latencies[place], self.now)
        self.running.append(Call(place, self.now, probe))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=st.sampled_from(["ok", "failed", "busy", "refused"]))
    def a_call_ends(self, data, outcome):
        call = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        was = self.breakers[call.place]
        if call.probe:
            self.breakers[call.place] = released(self.breakers[call.place], call.began)
        breaker = self.breakers[call.place]
        if outcome == "ok":
            self.breakers[call.place] = succeeded(breaker, call.began, self.now)
            self.latencies[call.place] = observed(self.latencies[call.place], self.now - call.began, self.now)
            if call.began >= was.since:
                assert state(self.breakers[call.place], self.now) == "closed", "one success and traffic is back"
                assert self.breakers[call.place].failures == 0
        elif outcome != "refused":
            wait = 2.0 if outcome == "busy" else None
            after = self.breakers[call.place] = failed(breaker, self.policy, call.began, self.now, wait)
            assert after.opened - was.opened in (0, 1), "a failure opens it once at most"
            if outcome == "busy" and call.began >= was.since:
                assert after.until >= self.now + 2.0, "who says until when is left alone until then"
        if call.began < was.since:
            assert self.breakers[call.place] == was, "what began before the last change does not count"

    @invariant()
    def an_open_breaker_is_not_open_for_ever(self):
        for breaker in getattr(self, "breakers", ()):
            assert breaker.until <= self.now + self.policy.max_open_s
            later = max(breaker.until, breaker.probe_until, self.now)
            assert available(breaker, later), "sooner or later it may be tried"


TestGateway = Gateway.TestCase
TestGateway.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
