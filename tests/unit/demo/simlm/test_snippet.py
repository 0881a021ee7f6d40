"""What is printed to paste is a configuration that loads."""

from calibrant.config.load import load
from calibrant.demo.simlm.parameters import Judge, Model, Parameters
from calibrant.demo.simlm.snippet import gateway_config
from calibrant.demo.simlm.world import World


def test_it_is_a_configuration(tmp_path):
    models = {"free": Model(), "paid-1.5": Model(input_price=1e-9, output_price=2.5)}
    text = gateway_config(World(Parameters(models=models, judges={"fair": Judge()})), "http://127.0.0.1:3002/v1")
    (tmp_path / "tensorzero.toml").write_text(text)
    config = load(str(tmp_path / "tensorzero.toml"), environ={})
    assert set(config.models) >= {"free", "paid-1.5", "judge-fair"}
    assert set(config.functions["simlm"].variants) == {"free", "paid-1.5"}
    assert "correct" in config.metrics and not config.warnings
    assert text.count("cost = [") == 1 and text.count("http://127.0.0.1:3002/v1") == 3
