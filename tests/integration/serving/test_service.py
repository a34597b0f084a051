"""The service as a caller meets it: a real process, asked over HTTP."""

import json
import os
import signal
from contextlib import suppress
from types import SimpleNamespace

import bentoml
import psutil
import pytest
from serving_company import ACCOUNTS, AS_OF, answers, nan_to_none, register, settings_of, wait_until

from features.engine.table import build_feature_table
from registry.loader import load
from serving.scoring.scores import needed_features, score_table


@pytest.fixture(scope="module")
def service(company, start_service):
    """Started before any model is registered; what it answered then is in `without_model`."""
    started = start_service(json.dumps(settings_of(company)))
    ready, score = started.client.get("/readyz"), ask(started, account_ids=["A0"])
    register(company.tracking_uri, *company.boosted)
    register(company.tracking_uri, company.recency)
    wait_until(lambda: started.client.get("/readyz").status_code == 200, started.process, started.log)
    started.without_model = SimpleNamespace(ready=ready, score=score)
    return started


@pytest.fixture(scope="module")
def batch(company, service):
    """{(account_id, target): row} of the batch path, reasons for everybody."""
    models = [load(company.tracking_uri, f"wholesaler-{target}") for target in ("churn", "soon")]
    table = build_feature_table(company.history, AS_OF, needed_features(models))
    frames = [score_table(loaded, table, explain_top=len(table), currency="GBP") for loaded in models]
    rows = [row for frame in frames for row in frame.to_dict("records")]
    return {(row["account_id"], row["target"]): row for row in rows}


def ask(service, **request):
    return service.client.post("/score", json=request)


def scores(response):
    assert response.status_code == 200, response.text
    return {
        (entry["account_id"], score["target"]): score
        for entry in response.json()["accounts"]
        for score in entry["scores"]
    }


def assert_same_score(online, row):
    for name in ("probability", "percentile", "band", "why_not", "horizon_days", "model_version", "grade"):
        assert online[name] == nan_to_none(row[name]), name


def assert_problem(response, status, kind, pointer=None):
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (response.status_code, problem["status"], problem["type"]) == (status, status, f"/problems/{kind}")
    assert problem.get("pointer") == pointer
    assert problem["detail"]
    assert "Traceback" not in response.text
    return problem["detail"]


def test__score__every_account_by_id__equals_batch_bit_for_bit(service, batch):
    """The page that a CRM loads and the nightly table never show two numbers for one account."""
    online = scores(ask(service, account_ids=list(ACCOUNTS)))
    assert online.keys() == batch.keys()
    for key, row in batch.items():
        assert_same_score(online[key], row)
    assert sum(score["probability"] is not None for score in online.values()) > 60


@pytest.mark.parametrize("account", ["A0", "A7", "A31"])
def test__score__one_account_alone__equals_batch_bit_for_bit(service, batch, account):
    """Alone or among sixty: the arithmetic is row by row."""
    for key, score in scores(ask(service, account_ids=[account])).items():
        assert_same_score(score, batch[key])


def test__score__inline_events__equal_stored_ones_bit_for_bit(service, batch):
    """The same raw rows, naive times, missing kinds and repeated lines included, mean the same in a request as in a file."""
    inline = [{"account_id": name, "events": rows} for name, rows in ACCOUNTS.items()]
    for key, score in scores(ask(service, accounts=inline)).items():
        assert_same_score(score, batch[key])


def test__score__explain_top__gives_the_reasons_of_the_batch(service, batch):
    """Reasons are part of a score; they do not depend on who asks."""
    online = scores(ask(service, account_ids=list(ACCOUNTS), explain="top"))
    for key, row in batch.items():
        assert online[key]["reasons"] == (row["reasons"] or [])
    assert any("usually every" in reason["words"] for score in online.values() for reason in score["reasons"])


def test__score__answer__carries_what_a_reader_needs_to_judge_it(service):
    """Probability, percentile, band, reasons, model version, as_of, horizon and definition come together."""
    (score,) = scores(ask(service, account_ids=["A0"], targets=["churn"])).values()
    assert score["definition"].startswith("churned: no order in (as_of, as_of + 90 days]")
    assert (score["model"], score["model_version"], score["horizon_days"]) == ("wholesaler-churn", "1", 90)
    assert score["as_of"] == "2020-06-01T00:00:00Z"
    assert score["grade"] == "none"
    assert score["band"] in {"low", "medium", "high"}
    assert score["reasons"] == []


def test__score__ineligible_account__null_and_why(service, batch):
    """An account that has already left gets words instead of a number."""
    account = next(name for (name, target), row in batch.items() if target == "churn" and nan_to_none(row["why_not"]))
    (score,) = scores(ask(service, account_ids=[account], targets=["churn"], explain="top")).values()
    assert (score["probability"], score["percentile"], score["band"], score["reasons"]) == (None, None, None, [])
    assert score["why_not"].startswith("no purchase")


def test__score__event_after_as_of__is_legal_and_invisible(service):
    """A request may bring events that the asked moment does not know yet; they move nothing."""
    old = {"occurred_at": "2020-05-01T10:00:00Z", "amount": 10.0}
    new = {"occurred_at": "2020-06-01T00:00:00.000001Z", "amount": 99.0}
    with_new, without = (
        ask(service, accounts=[{"account_id": "x", "events": {"purchases": rows}}]) for rows in ([old, new], [old])
    )
    assert with_new.json() == without.json()


def test__score__earlier_as_of__is_the_score_of_then(service):
    """A naive as_of is read in the company's timezone: London's midnight in May is 23:00 UTC."""
    response = ask(service, account_ids=["A0"], as_of="2020-05-01")
    assert response.json()["as_of"] == "2020-04-30T23:00:00Z"


def test__score__unknown_account_alone__404(service):
    """The CRM asked for one account: it must see at once that we do not know it."""
    detail = assert_problem(ask(service, account_ids=["nobody"]), 404, "unknown-account", "#/account_ids/0")
    assert "'nobody'" in detail


def test__score__account_not_known_yet__404(service):
    """Before its first event an account does not exist."""
    assert_problem(ask(service, account_ids=["A0"], as_of="2001-01-01"), 404, "unknown-account", "#/account_ids/0")


def test__score__unknown_account_among_others__is_an_error_of_its_entry(service):
    """One bad id does not cost the others their scores."""
    response = ask(service, account_ids=["A0", "nobody"])
    known, unknown = response.json()["accounts"]
    assert response.status_code == 200
    assert len(known["scores"]) == 2
    assert known["error"] is None
    assert unknown["scores"] == []
    assert unknown["error"]["type"] == "/problems/unknown-account"


def purchases(*rows):
    return {"accounts": [{"account_id": "x", "events": {"purchases": list(rows)}}]}


GOOD = {"occurred_at": "2020-01-01", "amount": 1.0}
ROW = "#/accounts/0/events/purchases"
BAD = [
    ({}, "malformed-request", "#", "no account is asked for"),
    ({"account_ids": [""]}, "malformed-request", "#/account_ids/0", "at least 1 character"),
    ({"account_ids": [17850]}, "malformed-request", "#/account_ids/0", "valid string"),
    ({"account_ids": ["A0"] * 1001}, "malformed-request", "#/account_ids", "at most 1000"),
    ({"account_ids": ["A0"] * 101, "explain": "top"}, "malformed-request", "#", "at most 100"),
    ({"account_ids": ["A0"], "explain": "every"}, "malformed-request", "#/explain", "'none', 'top' or 'all'"),
    ({"account_ids": ["A0"], "as_off": "2020"}, "malformed-request", "#/as_off", "did you mean 'as_of'?"),
    ({"account_id": "A0"}, "malformed-request", "#/account_id", "there is no 'account_id' here; did you mean 'account_ids'?"),
    ({"account_ids": ["A0"], "as_of": "yesterday"}, "malformed-request", "#/as_of", "'yesterday' is no date"),
    ({"account_ids": ["A0"], "targets": ["churn", "upsell"]}, "unknown-target", "#/targets/1", "churn, soon"),
    (purchases(GOOD, {"occurred_at": "2020-01-01"}), "malformed-event", f"{ROW}/1/amount", "Field required"),
    (purchases(GOOD | {"amount": "1"}), "malformed-event", f"{ROW}/0/amount", "valid number"),
    (purchases(GOOD | {"amont": 1}), "malformed-event", f"{ROW}/0/amont", "did you mean 'amount'?"),
    (purchases(GOOD, GOOD | {"occurred_at": "1.1.2020"}), "malformed-event", f"{ROW}/1", "occurred_at is not a time: '1.1.2020'"),
    (purchases(GOOD | {"occurred_at": "1969-01-01"}), "malformed-event", f"{ROW}/0", "occurred_at lies before 1970"),
    (purchases(GOOD | {"kind": "gift"}), "malformed-event", f"{ROW}/0", "kind must be one of order, return, cancellation: 'gift'"),
    (purchases(GOOD | {"discount": -1}), "malformed-event", f"{ROW}/0", "discount must not be negative"),
    (purchases(GOOD | {"known_at": "2019-01-01"}), "malformed-event", f"{ROW}/0", "known_at is before occurred_at"),
]  # fmt: skip


FAR_AWAY = ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+10:00", "0000-01-01"]


@pytest.mark.parametrize("moment", FAR_AWAY)
def test__score__moment_that_no_calendar_holds__422_points_at_it(service, moment):
    """What overflows is the caller's mistake, not ours."""
    assert_problem(ask(service, account_ids=["A0"], as_of=moment), 422, "malformed-request", "#/as_of")
    for row in ({"occurred_at": moment}, {"known_at": moment}):
        assert_problem(ask(service, **purchases(GOOD | row)), 422, "malformed-event", f"{ROW}/0")


def many(accounts, rows, row):
    return {"accounts": [{"account_id": str(n), "events": {"purchases": [row] * rows}} for n in range(accounts)]}


HUGE = [
    (many(1, 700_000, {}), "malformed-request", "#"),
    (many(100, 1_000, {"x": 1}), "malformed-request", "#"),
    (many(1, 10_001, GOOD), "malformed-event", ROW),
    (many(1, 10_000, {"x": 1}), "malformed-event", None),
    (many(900, 33, {"amount": "1"}), "malformed-event", None),
    ({str(number): 1 for number in range(300_000)}, "malformed-request", "#"),
    ({"account_ids": [1] * 1_500_000}, "malformed-request", "#/account_ids/0"),
    ({"account_ids": ["A0"], "targets": [1] * 1_000_000}, "malformed-request", "#/targets"),
    ({"accounts": 5}, "malformed-request", "#/accounts"),
    ({"accounts": [{"account_id": "x", "events": {"purchases": 5}}, 5]}, "malformed-event", ROW),
]


@pytest.mark.parametrize(("request_body", "kind", "pointer"), HUGE, ids=range(len(HUGE)))
def test__score__huge_and_wrong__ends_at_the_first_findings(service, request_body, kind, pointer):
    """Validation holds up all other requests: of many thousands of findings it looks for no more than a few."""
    response = ask(service, **request_body)
    assert len(response.json().get("errors", [])) <= 5
    assert_problem(response, 422, kind, pointer or response.json()["pointer"])


def test__score__as_many_rows_as_allowed__are_scored(service):
    """The limit is one that can be kept within the time for an answer."""
    rows = [GOOD | {"order_id": str(n)} for n in range(10_000)]
    inline = [{"account_id": str(n), "events": {"purchases": rows}} for n in range(3)]
    response = ask(service, accounts=inline)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(("request_body", "kind", "pointer", "words"), BAD)
def test__score__malformed_request__422_points_at_the_item(service, request_body, kind, pointer, words):
    """The caller learns which item is wrong and why, without reading our log."""
    assert words in assert_problem(ask(service, **request_body), 422, kind, pointer)


def test__score__several_bad_rows__all_are_listed(service):
    """A sender mends all rows at once."""
    response = ask(service, **purchases(GOOD | {"kind": "gift"}, GOOD, GOOD | {"occurred_at": "never"}))
    assert [error["pointer"] for error in response.json()["errors"]] == [f"{ROW}/0", f"{ROW}/2"]


RAW = [
    ("POST", "/score", {"content": b'{"account_ids": [', "headers": {"content-type": "application/json"}}, 400, "not-json"),
    ("POST", "/score", {"data": {"account_ids": "A0"}}, 415, "wrong-media-type"),
    ("POST", "/score", {"content": b" " * 4_000_001, "headers": {"content-type": "application/json"}}, 413, "too-large"),
    ("GET", "/score", {}, 405, "wrong-method"),
    ("GET", "/nothing", {}, 404, "unknown-path"),
    ("POST", "/nothing/here", {"json": {}}, 404, "unknown-path"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "content", "status", "kind"), RAW)
def test__service__what_is_no_request__is_a_problem_too(service, method, path, content, status, kind):
    """Whatever BentoML or Starlette would say by themselves comes in the one form that clients parse."""
    assert_problem(service.client.request(method, path, **content), status, kind)


def test__service__body_in_chunks_without_length__is_limited_too(service):
    """A body that does not say how long it is cannot fill the memory."""
    response = service.client.post(
        "/score", content=(b" " * 100_000 for _ in range(100)), headers={"content-type": "application/json"}
    )
    assert_problem(response, 413, "too-large")


def test__service__bad_requests__leave_no_error_in_the_log(service):
    """The log is for what we can mend."""
    for body, *_ in BAD:
        ask(service, **body)
    for method, path, content, *_ in RAW:
        service.client.request(method, path, **content)
    log = service.log.read_text()
    assert "ERROR" not in log
    assert "Traceback" not in log


def test__service__without_model__503_says_what_to_do_and_the_model_is_taken_up_without_restart(service):
    """It was started with an empty registry, said so, and became ready by itself."""
    for response in (service.without_model.ready, service.without_model.score):
        assert "foresail train" in assert_problem(response, 503, "no-champion")
        assert response.headers["retry-after"] == "5"


def test__service__probes_metrics_and_page__are_there(service):
    """What an operator and a developer look for first."""
    ask(service, account_ids=["A0"])
    assert service.client.get("/healthz").status_code == 200
    assert 'route="/score"' in service.client.get("/metrics").text
    assert "swagger" in service.client.get("/").text
    schemas = service.client.get("/docs.json").json()["components"]["schemas"]
    assert "net value of the line" in schemas["PurchasesEvent"]["properties"]["amount"]["description"]


def test__score__bentoml_client__can_call_it(service):
    """Machine callers may use BentoML's own client."""
    with bentoml.SyncHTTPClient(str(service.client.base_url)) as client:
        answer = client.score({"account_ids": ["A0"]})
    entry = answer["accounts"][0] if isinstance(answer, dict) else answer.accounts[0]
    assert (entry["account_id"] if isinstance(entry, dict) else entry.account_id) == "A0"


def test__service__without_settings__starts_and_says_what_is_wrong(start_service):
    """A service that dies at start tells its operator nothing; this one answers with the remedy."""
    started = start_service("")
    assert started.client.get("/healthz").status_code == 200
    for response in (started.client.get("/readyz"), ask(started, account_ids=["A0"])):
        detail = assert_problem(response, 503, "not-configured")
        assert "FORESAIL_SERVING is not set" in detail
        assert "foresail serve" in detail


def test__service__server_killed__its_worker_ends_and_frees_the_port(start_service):
    """Kill -9 gives the server no time to stop its worker; a worker left over would answer at the port of the next."""
    started = start_service("")
    workers = psutil.Process(started.process.pid).children(recursive=True)
    try:
        os.kill(started.process.pid, signal.SIGKILL)
        assert psutil.wait_procs(workers, timeout=60)[1] == []
        assert not answers(started.client, "/livez")
    finally:
        for worker in workers:
            with suppress(psutil.NoSuchProcess):
                worker.kill()
