"""SimLM: a simulated language model of which the truth is known, for testing what measures.

It is the oracle of the machinery (coverage of intervals, power, wrong decisions, detection of faults), and never
evidence that something improves accuracy on real tasks: what works here is what its parameters say works.

Read `parameters.py` (what a world is), `world.py` (what can be asked of it), then what the names of the files say;
all of these are pure. `server.py` answers from a world over OpenAI's protocol.
"""
