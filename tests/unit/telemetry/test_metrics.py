from calibrant.telemetry.metrics import Metrics, Spent, exposition, forget_published, merge, read_published


def test_figures_of_two_processes_add_up_under_both_names(tmp_path):
    for name, latency in (("a", 0.0005), ("b", 0.5)):
        metrics = Metrics((0.001, 0.01))
        metrics.count("requests", ("inference", "200"), 2)
        metrics.count_inference(("inference", "f", "m", "v", "ok"), Spent(3, 4), latency)
        metrics.publish(tmp_path / f"{name}.metrics")
    text = exposition(merge(read_published(tmp_path)), [("spool_bytes", "Bytes waiting.", 7.0)]).decode()
    for prefix in ("calibrant", "tensorzero"):
        assert f'{prefix}_requests_total{{endpoint="inference",status="200"}} 4.0' in text
        family = f"{prefix}_inference_latency_overhead_seconds"
        assert f'{family}_bucket{{function_name="f",le="0.001",variant_name="v"}} 1.0' in text
        assert f'{family}_bucket{{function_name="f",le="0.01",variant_name="v"}} 1.0' in text
        assert f'{family}_bucket{{function_name="f",le="+Inf",variant_name="v"}} 2.0' in text
        assert f'{family}_count{{function_name="f",variant_name="v"}} 2.0' in text
        assert f'{prefix}_input_tokens_total{{model_name="m"}} 6.0' in text
        assert (
            f'{prefix}_inferences_total{{endpoint="inference",function_name="f",model_name="m",status="ok"}} 2.0'
            in text
        )
    assert "calibrant_spool_bytes 7.0" in text


def test_no_buckets_turn_the_histogram_off():
    metrics = Metrics(())
    metrics.count_inference(("inference", "f", "m", "v", "ok"), Spent(3, 4), 1.0)
    assert b"overhead" not in exposition(metrics.figures())


def test_a_process_leaves_its_own_file_out(tmp_path):
    own = tmp_path / "own.metrics"
    Metrics().publish(own)
    assert read_published(tmp_path, but=own) == []


def test_a_file_that_a_power_cut_left_is_passed_over(tmp_path):
    (tmp_path / "empty.metrics").write_bytes(b"")
    (tmp_path / "torn.metrics").write_bytes(b'{"buck')
    Metrics().publish(tmp_path / "good.metrics")
    assert len(read_published(tmp_path)) == 1


def test_a_new_gateway_starts_at_zero(tmp_path):
    Metrics().publish(tmp_path / "old.metrics")
    forget_published(tmp_path)
    assert read_published(tmp_path) == []
