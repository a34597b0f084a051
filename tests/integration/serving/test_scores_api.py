"""/v1/scores, /v1/what-if and /v1/models as a caller meets them: one process, asked over a socket."""

import json
import math
import threading
from types import SimpleNamespace

import bentoml
import httpx
import pytest
from serving_company import (
    ACCOUNTS,
    AS_OF,
    boosted_card,
    bring_up_to_date,
    nan_to_none,
    recency_card,
    register,
    settings_of,
    wait_until,
)

from features.catalog import CATALOG, named
from features.engine.table import build_feature_table
from registry.loader import load
from serving.api.app import RESOURCES
from serving.online.schemas import ScoreRequest
from serving.online.what_if_schemas import WhatIfRequest
from serving.scoring.scores import needed_features, score_table
from serving.scoring.value_at_stake import VALUE_FEATURES
from training.data.targets import ValueTarget

VALUE = ValueTarget("value", horizon_days=73, active_within_days=None)
TARGETS = ("churn", "soon", "value")
ANSWERS = ("probability", "amount")


def value_card():
    return recency_card(VALUE) | {"answer": "amount"}


@pytest.fixture(scope="module")
def mine(company, tmp_path_factory):
    """The company's history in a place where champions may come and go."""
    folder = tmp_path_factory.mktemp("mine")
    bring_up_to_date(folder, company.history)
    tracking_uri = f"sqlite:///{folder}/mlflow.db"
    register(tracking_uri, *boosted_card(company.table))
    register(tracking_uri, recency_card())
    register(tracking_uri, value_card())
    return SimpleNamespace(folder=folder, history=company.history, tracking_uri=tracking_uri)


@pytest.fixture(scope="module")
def service(mine, start_service):
    models = {target: f"wholesaler-{target}" for target in TARGETS}
    started = start_service(json.dumps(settings_of(mine, models=models)))
    wait_until(lambda: started.client.get("/readyz").status_code == 200, started.process, started.log)
    return started


@pytest.fixture(scope="module")
def batch(mine, service):
    """{(account_id, target): answer} of the batch path."""
    models = [load(mine.tracking_uri, f"wholesaler-{target}") for target in TARGETS]
    table = build_feature_table(mine.history, AS_OF, dict.fromkeys([*needed_features(models), *named(VALUE_FEATURES)]))
    rows = [row for loaded in models for row in score_table(loaded, table).to_dict("records")]
    return {
        (row["account_id"], row["target"]): next(
            (row[name] for name in ANSWERS if nan_to_none(row[name]) is not None), None
        )
        for row in rows
    }


def post(service, resource, **body):
    return service.client.post(f"/v1/{resource}", json=body)


def answered(entry):
    """{(account_id, target): answer} of one entry, of JSON or of a client's object."""
    entry = entry if isinstance(entry, dict) else vars_of(entry)
    scores = [score if isinstance(score, dict) else vars_of(score) for score in entry["scores"]]
    told = {
        score["target"]: next((score[name] for name in ANSWERS if score[name] is not None), None) for score in scores
    }
    return {(entry["account_id"], target): answer for target, answer in told.items()}


def vars_of(thing):
    return {name: getattr(thing, name) for name in ("account_id", "scores", "target", *ANSWERS) if hasattr(thing, name)}


def together(entries):
    return {key: answer for entry in entries for key, answer in answered(entry).items()}


def assert_problem(response, status, kind, pointer=None):
    problem = response.json()
    assert (response.status_code, problem["type"]) == (status, f"/problems/{kind}"), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert problem.get("pointer") == pointer
    return problem["detail"]


def test__every_way_to_ask__all_accounts_and_targets__the_same_bits(service, batch):
    """A page, a list, a machine, a thought experiment and the night never show two numbers for one account."""
    inline = [{"account_id": name, "events": rows} for name, rows in ACCOUNTS.items()]
    thoughts = [post(service, "what-if", account_id=each).json() for each in ACCOUNTS]
    with bentoml.SyncHTTPClient(str(service.client.base_url)) as client:
        native = client.score({"account_ids": list(ACCOUNTS)})
    ways = {
        "REST, all at once": post(service, "scores", account_ids=list(ACCOUNTS)).json()["accounts"],
        "REST, one by one": [post(service, "scores", account_ids=[each]).json()["accounts"][0] for each in ACCOUNTS],
        "REST, with reasons": post(service, "scores", account_ids=list(ACCOUNTS), explain="top").json()["accounts"],
        "inline": post(service, "scores", accounts=inline).json()["accounts"],
        "native": service.client.post("/score", json={"account_ids": list(ACCOUNTS)}).json()["accounts"],
        "BentoML's client": native["accounts"] if isinstance(native, dict) else native.accounts,
        "what-if of nothing, before": [thought["before"] for thought in thoughts],
        "what-if of nothing, after": [thought["after"] for thought in thoughts],
    }
    for way, entries in ways.items():
        assert together(entries) == batch, way
    assert sum(answer is not None for answer in batch.values()) > 100


def test__what_if__nothing_happened__the_whole_answer_of_scores(service):
    """Not the number alone: percentile, stakes and reasons are those of /v1/scores too."""
    (entry,) = post(service, "scores", account_ids=["A7"], explain="all").json()["accounts"]
    answer = post(service, "what-if", account_id="A7", explain="all").json()
    assert answer["before"] == answer["after"] == entry
    assert {each["difference"] for each in answer["differences"]} <= {0.0, None}


def test__what_if__an_order_now__lowers_the_risk_and_is_not_stored(service):
    """The thought is free: the next score knows nothing of it."""
    (before,) = post(service, "scores", account_ids=["A7"], targets=["soon"]).json()["accounts"]
    body = {"account_id": "A7", "targets": ["soon"], "events": {"purchases": [{"amount": 50.0}]}, "explain": "top"}
    answer = post(service, "what-if", **body).json()
    assert answer["differences"][0]["difference"] < 0
    assert answer["after"]["scores"][0]["reasons"][0]["value"] == 0.0
    assert post(service, "scores", account_ids=["A7"], targets=["soon"]).json()["accounts"] == [before]


def test__what_if__event_of_before__equals_the_account_that_had_it_all_along(service):
    """Supposing is the same computation as having: an inline account with the event scores the same."""
    event = {"occurred_at": "2020-05-20 10:00:00", "amount": 75.5, "order_id": "z"}
    rows = ACCOUNTS["A7"] | {"purchases": [*ACCOUNTS["A7"]["purchases"], event]}
    (had,) = post(service, "scores", accounts=[{"account_id": "A7", "events": rows}]).json()["accounts"]
    supposed = post(service, "what-if", account_id="A7", events={"purchases": [event]}).json()["after"]
    assert answered(supposed) == answered(had)


def test__what_if__event_that_is_there_already__changes_nothing(service):
    """Events have identities; one that happened cannot happen again."""
    event = {"occurred_at": "2020-05-20", "amount": 75.5, "event_id": "the one"}
    account = {"account_id": "x", "events": {"purchases": [event]}}
    answer = post(service, "what-if", account=account, events={"purchases": [event]}).json()
    assert answer["before"] == answer["after"]


def test__what_if__event_that_the_history_has__changes_nothing_without_an_id_either(service):
    """Ingest has made its identity of what it says, the account included; so is that of the supposed one."""
    happened = [row for row in ACCOUNTS["A7"]["purchases"] if row["occurred_at"] < "2020-06-01"]
    answer = post(service, "what-if", account_id="A7", events={"purchases": happened}, explain="all").json()
    assert len(happened) > 1
    assert answer["before"] == answer["after"]


PURCHASE = {"occurred_at": "2020-01-01", "amount": 1.0}
WRONG = [
    ("scores", {}, "malformed-request", "#", "no account is asked for"),
    ("scores", {"account_ids": ["A0"] * 11, "explain": "all"}, "malformed-request", "#", "at most 10"),
    ("scores", {"account_ids": ["A0"], "targets": ["churn", "upsell"]}, "unknown-target", "#/targets/1", "churn, soon"),
    ("scores", {"account_ids": ["A0"], "as_off": "2020"}, "malformed-request", "#/as_off", "did you mean 'as_of'?"),
    ("scores", {"accounts": [{"account_id": "x", "events": {"purchases": [PURCHASE | {"kind": "gift"}]}}]},
     "malformed-event", "#/accounts/0/events/purchases/0", "kind must be one of"),
    ("what-if", {}, "malformed-request", "#", "either account_id or account"),
    ("what-if", {"account_id": "A0", "account": {"account_id": "x", "events": {}}}, "malformed-request", "#", "either"),
    ("what-if", {"account_id": "A0", "event": {}}, "malformed-request", "#/event", "did you mean 'events'?"),
    ("what-if", {"account_id": "A0", "events": {"purchases": [{"amount": 1.0, "amont": 1.0}]}}, "malformed-event",
     "#/events/purchases/0/amont", "did you mean 'amount'?"),
    ("what-if", {"account_id": "A0", "events": {"purchases": [PURCHASE, {"occurred_at": "2020-06-02", "amount": 1.0}]}},
     "malformed-event", "#/events/purchases/1", "occurred_at lies after 2020-06-01"),
    ("what-if", {"account": {"account_id": "x", "events": {"purchases": [PURCHASE | {"kind": "gift"}]}}},
     "malformed-event", "#/account/events/purchases/0", "kind must be one of"),
    ("what-if", {"account_id": "A0", "events": {"purchases": [{"amount": 1.0}] * 10_001}}, "malformed-event",
     "#/events/purchases", "at most 10000"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "body", "kind", "pointer", "words"), WRONG)
def test__malformed_request__422_points_at_the_item(service, resource, body, kind, pointer, words):
    """The caller learns which item is wrong and why, without reading our log."""
    assert words in assert_problem(post(service, resource, **body), 422, kind, pointer)


def test__unknown_account__404_alone_and_an_error_of_its_entry_among_others(service):
    """One stranger in a list must not keep the others from their scores."""
    assert_problem(post(service, "scores", account_ids=["nobody"]), 404, "unknown-account", "#/account_ids/0")
    assert_problem(post(service, "what-if", account_id="nobody"), 404, "unknown-account", "#/account_id")
    known, unknown = post(service, "scores", account_ids=["A0", "nobody"]).json()["accounts"]
    assert (len(known["scores"]), unknown["scores"], unknown["error"]["type"]) == (3, [], "/problems/unknown-account")


def test__body__is_no_json__400(service):
    """Whatever comes in the place of JSON is told as what it is."""
    response = service.client.post("/v1/scores", content=b"{", headers={"content-type": "application/json"})
    assert_problem(response, 400, "not-json")


def test__explain_all__every_feature__sums_to_the_margin_less_a_constant(service):
    """Contributions are complete: the model's own constant is all that is missing, the same for every account."""
    asked = {"account_ids": list(ACCOUNTS)[:10], "targets": ["churn"], "explain": "all"}
    scores = [entry["scores"][0] for entry in post(service, "scores", **asked).json()["accounts"]]
    scored = [score for score in scores if score["probability"] is not None]
    constants = []
    for score in scored:
        sizes = [one["size"] for one in score["contributions"]]
        assert len(sizes) == len(CATALOG)
        assert sizes == sorted(sizes, key=lambda size: -abs(size))
        calibrated = math.log(score["probability"] / (1 - score["probability"]))
        constants.append((calibrated + 0.1) / 0.9 - math.fsum(sizes))
    assert len(scored) > 3
    assert constants == pytest.approx([constants[0]] * len(scored), abs=1e-9)


def test__models__in_service__what_a_reader_needs_to_judge_them(service):
    """Definition, horizon, version, grade and the moment that percentiles are taken at, of each target in its order."""
    answer = service.client.get("/v1/models").json()
    assert [model["target"] for model in answer["models"]] == list(TARGETS)
    assert answer["missing"] == []
    churn = answer["models"][0]
    assert (churn["rung"], churn["grade"], churn["model_version"]) == ("lightgbm", "none", "1")
    assert churn["trained_as_of"] == "2020-06-01T00:00:00Z"


def test__openapi__resources_of_scores__complete_with_examples_that_are_valid():
    """A developer who has the document alone can write a caller: bodies, answers, problems, and an example of each."""
    document = RESOURCES.openapi()
    for path, model in (("/v1/scores", ScoreRequest), ("/v1/what-if", WhatIfRequest)):
        operation = document["paths"][path]["post"]
        asked = operation["requestBody"]["content"]["application/json"]
        assert asked["schema"]["$ref"].endswith(model.__name__)
        for example in asked["examples"].values():
            model.model_validate_json(json.dumps(example["value"]))
        assert operation["responses"]["200"]["content"]["application/json"]["example"]
        for status in ("400", "404", "413", "415", "422", "503", "504"):
            assert "/problems/" in operation["responses"][status]["description"]
            assert list(operation["responses"][status]["content"]) == ["application/problem+json"]
    score = document["components"]["schemas"]["Score"]["properties"]
    assert "calibrated" in score["probability"]["description"]


def test__champion_moves__under_load__no_request_fails_and_a_broken_one_stays_out(mine, service):
    """Promotion is a move of an alias while pages load: every request is answered, by the old or by the new champion."""
    import mlflow

    registry, name = mlflow.MlflowClient(mine.tracking_uri), "wholesaler-soon"
    seen, failures, stop = [], [], threading.Event()

    def hammer():
        with httpx.Client(base_url=service.client.base_url, timeout=30) as client:
            while not stop.is_set():
                response = client.post("/v1/scores", json={"account_ids": ["A7"], "targets": ["soon"]})
                if response.status_code == 200:
                    seen.append(response.json()["accounts"][0]["scores"][0]["model_version"])
                else:
                    failures.append(response.text)

    clients = [threading.Thread(target=hammer) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        second = register(mine.tracking_uri, recency_card(weight=2.0))
        registry.set_registered_model_alias(name, "champion", second)
        wait_until(lambda: seen[-1:] == [second], service.process, service.log)
        broken = register(mine.tracking_uri, recency_card() | {"calibration": {"method": "magic"}})
        registry.set_registered_model_alias(name, "champion", broken)
        wait_until(
            lambda: f"version {second} stays in service" in service.log.read_text(), service.process, service.log
        )
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert failures == []
    assert seen[0] == "1"
    assert set(seen) == {"1", second}
    assert seen[-1] == second
