"""Statistics and look-ups of the record, against real processes: each number is counted here as well."""

import json

import pytest
from tensorzero import TensorZeroGateway

from calibrant.measure.summary import mean_interval

INPUT = {"messages": [{"role": "user", "content": "Hello there"}]}
FUNCTION = "/internal/functions/chat"


def look(running, path, status=200):
    answer = running.get(path)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def world(running):
    """Twelve inferences of `chat` in four episodes, judged; one of `extract`."""
    made, marks, stars = [], {}, {}
    for number in range(12):
        body = {"function_name": "chat", "input": INPUT, "variant_name": "aabbbbaababa"[number]}
        if number % 3:
            body["episode_id"] = made[-1]["episode_id"]
        made.append(running.infer(body).json())
    for number, answer in enumerate(made):
        for value in (number % 2 == 1, number % 5 != 0):
            running.post("/feedback", {"metric_name": "good", "inference_id": answer["inference_id"], "value": value})
        marks[answer["inference_id"]] = float(number % 5 != 0)
    for number, episode in enumerate(dict.fromkeys(answer["episode_id"] for answer in made)):
        running.post("/feedback", {"metric_name": "stars", "episode_id": episode, "value": number})
        stars[episode] = float(number)
    extracted = running.infer({"function_name": "extract", "input": INPUT}).json()
    running.post("/feedback", {"metric_name": "comment", "inference_id": made[0]["inference_id"], "value": "fine"})
    running.post("/feedback", {"metric_name": "demonstration", "inference_id": made[0]["inference_id"], "value": "So"})
    running.settled()
    return {"made": made, "marks": marks, "stars": stars, "extracted": extracted}


def test_counts(world, running):
    functions = look(running, "/internal/functions/inference_counts")["functions"]
    assert [(each["function_name"], each["inference_count"]) for each in functions] == [("extract", 1), ("chat", 12)]
    counted = look(running, f"{FUNCTION}/inference_count?group_by=variant")
    assert counted["inference_count"] == 12
    assert [(each["variant_name"], each["inference_count"]) for each in counted["count_by_variant"]] == [
        ("a", 6),
        ("b", 6),
    ]
    assert look(running, f"{FUNCTION}/inference_count?variant_name=a") == {"inference_count": 6}
    good = sum(world["marks"].values())
    assert look(running, f"{FUNCTION}/inference_count/good") == {"feedback_count": 12, "inference_count": good}
    stars = look(running, f"{FUNCTION}/inference_count/stars?threshold=1.5")
    assert stars == {"feedback_count": 12, "inference_count": 6}
    demonstrated = look(running, f"{FUNCTION}/inference_count/demonstration")
    assert demonstrated == {"feedback_count": 1, "inference_count": 1}
    metrics = {each["metric_name"]: each for each in look(running, f"{FUNCTION}/metrics")["metrics"]}
    assert {name: (each["metric_type"], each["feedback_count"]) for name, each in metrics.items()} == {
        "good": ("boolean", 12),
        "stars": ("float", 4),
        "comment": ("comment", 1),
        "demonstration": ("demonstration", 1),
    }
    answer = running.post("/internal/inferences/count", {"function_name": "chat", "variant_name": "b"})
    assert answer.json() == {"count": 6}


def test_performances_are_those_of_the_rows_clustered_by_episode(world, running):
    found = look(running, f"{FUNCTION}/variant_performances?metric_name=good&time_window=cumulative")["performances"]
    assert [each["variant_name"] for each in found] == ["a", "b"]
    for each in found:
        mine = [answer for answer in world["made"] if answer["variant_name"] == each["variant_name"]]
        rows = [world["marks"][answer["inference_id"]] for answer in mine]
        wanted = mean_interval(rows, [answer["episode_id"] for answer in mine], "boolean")
        interval = each["interval"]
        assert (each["count"], interval["clusters"], interval["method"]) == (6, wanted.clusters, "cluster_wilson")
        assert each["period_start"].startswith("1970-01-01")
        assert each["avg_metric"] == pytest.approx(wanted.estimate)
        assert (interval["low"], interval["high"]) == pytest.approx((wanted.low, wanted.high))
        assert each["ci_error"] == pytest.approx((wanted.high - wanted.low) / 2)
    # Three of the episodes had both variants, and stand for neither.
    (stars,) = look(running, f"{FUNCTION}/variant_performances?metric_name=stars&time_window=day")["performances"]
    assert (stars["variant_name"], stars["count"], stars["avg_metric"]) == ("b", 1, 1.0)


def test_usage_over_time(world, running):
    drawn = look(running, f"{FUNCTION}/variant_sampling_probabilities")["probabilities"]
    assert drawn == {"a": 0.25, "b": 0.75}
    throughput = look(running, f"{FUNCTION}/throughput_by_variant?time_window=day&max_periods=2")["throughput"]
    assert sorted((each["variant_name"], each["count"]) for each in throughput) == [("a", 6), ("b", 6)]
    usage = look(running, f"{FUNCTION}/variant_usage?time_window=month&max_periods=3")
    assert {(each["variant_name"], each["input_tokens"], each["output_tokens"]) for each in usage["data"]} == {
        ("a", 66, 42),
        ("b", 66, 42),
    }
    assert {len(each["processing_time_ms_quantiles"]) for each in usage["data"]} == {len(usage["quantiles"])}
    assert [each["failed"] for each in usage["data"]] == [0, 0]
    assert look(running, "/internal/models/count") == {"model_count": 2}
    models = {each["model_name"]: each for each in look(running, "/internal/models/usage?time_window=week")["data"]}
    assert (models["plain"]["count"], models["plain"]["input_tokens"]) == (12, 132)
    latency = look(running, "/internal/models/latency?time_window=hour")
    assert {each["model_name"]: each["count"] for each in latency["data"]} == {"plain": 12, "json": 1}
    plain = next(each for each in latency["data"] if each["model_name"] == "plain")["response_time_ms_quantiles"]
    assert plain == sorted(plain) and len(plain) == len(latency["quantiles"])
    (cached,) = look(running, "/internal/models/cache_statistics?time_window=day&model_name=plain")["data"]
    assert (cached["model_provider_name"], cached["cache_read_input_tokens"], cached["count"]) == ("p", 48, 12)
    series = look(
        running, "/internal/feedback/timeseries?function_name=chat&metric_name=good&time_window=minute&variant_names=a"
    )["timeseries"]
    rows = [world["marks"][x["inference_id"]] for x in world["made"] if x["variant_name"] == "a"]
    assert (series[-1]["count"], series[-1]["mean"]) == (6, pytest.approx(sum(rows) / 6))
    assert (series[-1]["cs_method"], series[-1]["alpha"]) == ("beta_binomial", 0.05)
    assert 0 <= series[-1]["cs_lower"] < series[-1]["mean"] < series[-1]["cs_upper"] <= 1


def test_feedback_on_a_target(world, running):
    target = f"/internal/feedback/{world['made'][0]['inference_id']}"
    rows = look(running, target)["feedback"]
    assert [row["type"] for row in rows] == ["demonstration", "comment", "boolean", "boolean"]
    assert (rows[1]["value"], rows[1]["target_type"]) == ("fine", "inference")
    assert json.loads(rows[0]["value"])[0]["text"] == "So"
    ids = [row["id"] for row in rows]
    assert [row["id"] for row in look(running, f"{target}?limit=2&before={ids[1]}")["feedback"]] == ids[2:]
    assert [row["id"] for row in look(running, f"{target}?limit=2&after={ids[3]}")["feedback"]] == ids[1:3]
    assert look(running, f"{target}/count") == {"count": 4}
    assert look(running, f"{target}/latest_id_by_metric") == {"feedback_id_by_metric": {"good": ids[2]}}
    bounds = look(running, f"{target}/bounds")
    assert (bounds["first_id"], bounds["last_id"]) == (ids[3], ids[0])
    assert bounds["by_type"]["float"] == {} and bounds["by_type"]["comment"]["first_id"] == ids[1]
    assert [row["id"] for row in look(running, f"{target}/demonstrations")["feedback"]] == ids[:1]
    for number, row in ((0, "demonstration_feedback"), (2, "boolean_feedback")):
        (found,) = look(running, f"/internal/resolve_uuid/{ids[number]}")["object_types"]
        assert found["type"] == row


def test_inferences_calls_episodes_and_what_has_an_id(world, running):
    made = world["made"]
    first = made[0]["inference_id"]
    (call,) = look(running, f"/internal/model_inferences/{first}")["model_inferences"]
    assert (call["model_name"], call["model_provider_name"], call["cached"], call["status"]) == (
        "plain",
        "p",
        False,
        "ok",
    )
    assert json.loads(call["raw_request"])["model"] == "plain"
    rows = look(running, f"/internal/inference_metadata?function_name=chat&limit=5&before={made[8]['inference_id']}")
    assert [row["id"] for row in rows["inference_metadata"]] == [made[n]["inference_id"] for n in range(7, 2, -1)]
    episodes = look(running, "/internal/episodes?function_name=chat&limit=3")["episodes"]
    wanted = list(dict.fromkeys(answer["episode_id"] for answer in made))[::-1]
    assert [(each["episode_id"], each["count"]) for each in episodes] == [(each, 3) for each in wanted[:3]]
    assert episodes[0]["last_inference_id"] == made[11]["inference_id"]
    older = look(running, f"/internal/episodes?function_name=chat&before={wanted[2]}")["episodes"]
    assert [each["episode_id"] for each in older] == wanted[3:]
    newer = look(running, f"/internal/episodes?function_name=chat&limit=2&after={wanted[3]}")["episodes"]
    assert [each["episode_id"] for each in newer] == wanted[1:3]
    bounds = look(running, "/internal/episodes/bounds")
    assert (bounds["first_id"], bounds["last_id"], bounds["count"]) == (
        wanted[-1],
        world["extracted"]["episode_id"],
        5,
    )
    assert look(running, f"/internal/episodes/{wanted[0]}/inference_count") == {"inference_count": 3}
    filtered = running.post(
        "/internal/episodes",
        {
            "limit": 10,
            "filters": {"type": "float_metric", "metric_name": "stars", "value": 2, "comparison_operator": ">="},
        },
    )
    assert [each["episode_id"] for each in filtered.json()["episodes"]] == wanted[:2]
    assert look(running, f"/internal/resolve_uuid/{first}")["object_types"][0]["variant_name"] == "a"
    assert look(running, f"/internal/resolve_uuid/{wanted[0]}")["object_types"] == [{"type": "episode"}]
    assert look(running, f"/internal/resolve_uuid/{call['id']}")["object_types"] == [
        {"type": "model_inference", "inference_id": first}
    ]
    config = look(running, "/internal/config")
    assert config["config"]["functions"]["chat"]["variants"]["a"]["model"] == "plain"
    row = running.inference(first)
    assert look(running, f"/internal/config/{row['snapshot_hash']}") == config
    look(running, "/internal/config/nothing", status=404)


def test_statistics_of_a_run_take_the_task_for_the_cluster(world, running):
    with TensorZeroGateway.build_http(gateway_url=running.url) as client:
        run = client.workflow_evaluation_run(variants={"chat": "a"})
        values = {"one": [1.0, 2.0, 2.5], "two": [4.0], None: [8.0]}
        for task, scores in values.items():
            for score in scores:
                episode = client.workflow_evaluation_run_episode(run_id=run.run_id, task_name=task).episode_id
                client.feedback(metric_name="stars", episode_id=episode, value=-1.0)
                client.feedback(metric_name="stars", episode_id=episode, value=score)
    running.settled()
    (found,) = look(running, f"/internal/workflow_evaluations/run_statistics?run_id={run.run_id}")["statistics"]
    wanted = mean_interval([1.0, 2.0, 2.5, 4.0, 8.0], ["one", "one", "one", "two", "-"], "float")
    assert (found["metric_name"], found["count"], found["interval"]["clusters"]) == ("stars", 5, 3)
    assert found["avg_metric"] == pytest.approx(wanted.estimate)
    assert (found["ci_lower"], found["ci_upper"]) == pytest.approx((wanted.low, wanted.high))
    (resolved,) = look(running, f"/internal/resolve_uuid/{episode}")["object_types"]
    assert resolved == {"type": "workflow_evaluation_episode", "run_id": str(run.run_id)}


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/internal/functions/nope/inference_count", 404, "Unknown function: 'nope'"),
        (f"{FUNCTION}/variant_performances?metric_name=nope&time_window=day", 404, "Unknown metric: 'nope'"),
        (f"{FUNCTION}/variant_performances?metric_name=good&time_window=year", 400, "write one of minute, hour"),
        (f"{FUNCTION}/variant_performances?time_window=day", 400, "metric_name is wanted"),
        (f"{FUNCTION}/inference_count/good?threshold=nan", 400, "threshold is 'nan'"),
        ("/internal/models/usage", 400, "time_window is None; write one of"),
        ("/internal/feedback/nonsense", 400, "no UUIDv7"),
        ("/internal/episodes?limit=101", 400, "from 1 to 100"),
        ("/internal/feedback/timeseries?function_name=chat&metric_name=good&time_window=cumulative", 400, "month"),
    ],
)
def test_what_makes_no_sense_is_refused(world, running, path, status, says):
    assert says in look(running, path, status=status)["error"]
