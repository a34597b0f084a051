"""The door of the service, as a caller meets it: keys, log, metrics and traces of one real process."""

import json
import re
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import bentoml
import httpx
import pytest
from bentoml.exceptions import BentoMLException
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from serving_company import bring_up_to_date, database_of, recency_card, register, settings_of, wait_until

from serving.database import keys
from serving.database.engine import opened

OPEN = ("/livez", "/readyz", "/healthz")
CLOSED = [
    ("POST", "/score"), ("GET", "/v1/models"), ("GET", "/v1/accounts/A0"), ("POST", "/v1/events"), ("GET", "/"),
    ("GET", "/docs.json"), ("GET", "/v1/openapi.json"), ("GET", "/v1/docs"), ("GET", "/metrics"),
    ("GET", "/static_content/swagger-ui.css"), ("GET", "/nothing"), ("DELETE", "/score"),
]  # fmt: skip
PER_SECOND, BURST = 3.0, 200
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """Speaks OTLP over HTTP, and keeps the spans."""

    def __init__(self):
        spans = self.spans = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, trace_id, seconds=60):
        """The spans of a trace by name, as soon as they have come."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = {span.name: span for span in list(self.spans) if span.trace_id.hex() == trace_id}
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"no span of {trace_id}")

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def collector():
    running = Collector()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def service(company, start_service, collector, tmp_path_factory):
    """Started without a key, which `without_key` asks; then keys are made while it runs."""
    folder = tmp_path_factory.mktemp("door")
    bring_up_to_date(folder, company.history)
    engine = opened(database_of(folder))
    registry = f"sqlite:///{folder}/registry/mlflow.db"
    register(registry, recency_card())
    settings = settings_of(
        company, database=str(engine.url), tracking_uri=registry, models={"soon": "wholesaler-soon"},
        requests_per_second=PER_SECOND, burst=BURST,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        started = start_service(json.dumps(settings))
    wait_until(lambda: started.client.get("/readyz").status_code == 200, started.process, started.log)
    without_key = {name: ask(started, headers=headers) for name, headers in STRANGERS.items()}
    made = {scope: keys.create(engine, scope, [scope], now()) for scope in ("score", "events", "admin")}
    made["slow"] = keys.create(engine, "slow", ["score"], now())
    wait_until(lambda: ask(started).status_code == 401, started.process, started.log)
    texts = {name: text for name, (_, text) in made.items()}
    ids = {name: key.key_id for name, (key, _) in made.items()}
    return SimpleNamespace(**vars(started), texts=texts, ids=ids, without_key=without_key, engine=engine)


STRANGERS = {
    "here": {},
    "proxy": {"x-forwarded-for": "203.0.113.7"},
    "proxy that says it is here": {"x-forwarded-for": "127.0.0.1"},
    "rebound name": {"host": "evil.example"},
    "web page": {"origin": "https://evil.example"},
    "own page": {"origin": "http://127.0.0.1:3000"},
}


def now():
    return datetime.now(UTC)


def ask(service, account="A0", headers=()):
    return service.client.post("/score", json={"account_ids": [account]}, headers=dict(headers))


def bearing(service, name):
    return {"authorization": f"Bearer {service.texts[name]}"}


def problem(response):
    assert response.headers["content-type"] == "application/problem+json", response.text
    return response.status_code, response.json()["type"].removeprefix("/problems/"), response.json()["detail"]


def lines(service):
    return [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]


def line_of(service, response):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for line in lines(service):
            if line["trace_id"] == response.headers["x-trace-id"]:
                return line
        time.sleep(0.05)
    raise AssertionError("no line")


def metric(service, name, **labels):
    text = service.client.get("/metrics", headers=bearing(service, "admin")).text
    for line in text.splitlines():
        if line.startswith(name) and all(f'{label}="{value}"' in line for label, value in labels.items()):
            return float(line.rpartition(" ")[2])
    return 0.0


def test__without_any_key__the_log_says_so(service):
    assert "there is no API key: only programs on this machine are answered" in service.log.read_text()


def test__without_any_key__only_programs_on_this_machine_are_answered(service):
    """Not what came through a proxy, nor a page of another site that is open in a browser here."""
    statuses = {name: response.status_code for name, response in service.without_key.items()}
    assert statuses == {
        "here": 200, "own page": 200, "proxy": 403, "proxy that says it is here": 403, "rebound name": 403, "web page": 403,
    }  # fmt: skip
    status, kind, detail = problem(service.without_key["proxy"])
    assert (status, kind) == (403, "local-only")
    assert "foresail keys create" in detail


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test__no_key__no_answer_whatever_is_asked_for(service, method, path):
    """BentoML's endpoint, the resources, the pages, the mounted files, the metrics, and paths that are not there."""
    response = service.client.request(method, path)
    assert problem(response)[:2] == (401, "no-key")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", OPEN)
def test__what_an_orchestrator_asks__needs_no_key(service, path):
    assert service.client.get(path).status_code == 200


@pytest.mark.parametrize("given", ["Bearer fsk_x_y", "Bearer", "Basic dXNlcjpwYXNz", "fsk", "Bearer \xe9"])
def test__what_is_no_key__401(service, given):
    response = service.client.get("/v1/models", headers={"authorization": given.encode("latin-1")})
    assert problem(response)[:2] == (401, "no-key")


def test__a_key__is_good_for_its_scopes_and_the_problem_names_the_one_that_is_needed(service):
    expected = {
        ("score", "/v1/models"): 200, ("score", "/docs.json"): 200, ("score", "/metrics"): 403,
        ("events", "/v1/models"): 403, ("events", "/v1/openapi.json"): 200, ("events", "/nothing"): 403,
        ("admin", "/v1/models"): 200, ("admin", "/metrics"): 200, ("admin", "/nothing"): 404,
    }  # fmt: skip
    found = {(name, path): service.client.get(path, headers=bearing(service, name)) for name, path in expected}
    assert {asked: response.status_code for asked, response in found.items()} == expected
    status, kind, detail = problem(found["events", "/v1/models"])
    assert (status, kind) == (403, "missing-scope")
    assert "scope score; this one has events" in detail


def test__bentoml_client__sends_the_key_as_its_token(service):
    with bentoml.SyncHTTPClient(str(service.client.base_url), token=service.texts["score"]) as client:
        assert client.score({"account_ids": ["A0"]})
    with pytest.raises(BentoMLException), bentoml.SyncHTTPClient(str(service.client.base_url)) as client:
        client.score({"account_ids": ["A0"]})


def test__a_revoked_key__is_refused_within_seconds_by_the_running_service(service):
    key, text = keys.create(service.engine, "short-lived", ["score"], now())
    mine = {"authorization": f"Bearer {text}"}
    wait_until(lambda: ask(service, headers=mine).status_code == 200, service.process, service.log)
    keys.revoke(service.engine, key.key_id, now())
    wait_until(lambda: ask(service, headers=mine).status_code != 200, service.process, service.log)
    response = ask(service, headers=mine)
    assert problem(response)[:2] == (401, "no-key")
    assert "invalid_token" in response.headers["www-authenticate"]


def test__too_many_requests__429_for_that_key_alone_and_says_when(service):
    begun, answered, refused = time.monotonic(), 0, None
    while refused is None:
        response = service.client.get("/v1/models", headers=bearing(service, "slow"))
        brought = PER_SECOND * (time.monotonic() - begun)
        if response.status_code == 200:
            answered += 1
            assert answered <= BURST + brought + 1
        else:
            refused = response
    assert answered >= BURST
    assert problem(refused)[:2] == (429, "too-many-requests")
    assert refused.headers["retry-after"] == "1"
    assert ask(service, headers=bearing(service, "score")).status_code == 200
    assert service.client.get("/livez").status_code == 200


def test__log__one_line_a_request_that_tells_what_an_operator_asks(service):
    response = service.client.post(
        "/score", json={"account_ids": ["A0", "A1"], "explain": "top"}, headers=bearing(service, "score")
    )
    line = line_of(service, response)
    assert (line["method"], line["route"], line["status"], line["accounts"]) == ("POST", "/score", 200, 2)
    assert line["key_id"] == service.ids["score"]
    assert line["models"] == {"soon": "1"}
    assert {"lookup", "features", "predict", "explain"} == line["stages_ms"].keys()
    assert sum(line["stages_ms"].values()) <= line["ms"] < 5000
    assert datetime.fromisoformat(line["at"]).tzinfo is not None


def test__log__names_no_account_and_shows_no_key(service):
    """Neither by its path, nor by its body, nor by what it was refused for."""
    name = "Zanzibar-4711"
    mine = bearing(service, "admin")
    asked = [
        ask(service, name, mine),
        service.client.get(f"/v1/accounts/{name}", headers=mine),
        service.client.get(f"/v1/nothing/{name}?account={name}", headers=mine),
        service.client.put(f"/score/{name}", headers=mine),
        service.client.post("/score", json={"account_ids": [name], name: name}, headers=mine),
        service.client.post("/score", content=name.encode(), headers=mine | {"content-type": "application/json"}),
    ]
    for response in asked:
        line_of(service, response)
    log = service.log.read_text()
    assert name not in log
    assert name not in service.client.get("/metrics", headers=mine).text
    assert all(text.split("_", 2)[2] not in log for text in service.texts.values())


def test__log__probes_that_succeed_are_left_out(service):
    service.client.get("/livez")
    line_of(service, ask(service))
    assert all(line["route"] not in OPEN for line in lines(service) if line["status"] == 200)


def test__metrics__latency_by_route_and_stage_models_scores_and_inbox(service):
    """Each request counts once, each score once, in the tenth of its percentile."""
    before = metric(service, "foresail_request_seconds_count", route="/score", status="200")
    scores = [metric(service, "foresail_scores_total", target="soon", tenth=n) for n in (*range(1, 11), "none")]
    response = ask(service, headers=bearing(service, "score"))
    percentile = response.json()["accounts"][0]["scores"][0]["percentile"]
    line_of(service, response)
    after = [metric(service, "foresail_scores_total", target="soon", tenth=n) for n in (*range(1, 11), "none")]
    moved = [b - a for a, b in zip(scores, after, strict=True)]
    assert metric(service, "foresail_request_seconds_count", route="/score", status="200") == before + 1
    assert moved == [float(place == (10 if percentile is None else int(percentile * 10))) for place in range(11)]
    assert metric(service, "foresail_stage_seconds_count", stage="predict") >= 1
    assert metric(service, "foresail_model_info", target="soon", model="wholesaler-soon", version="1") == 1
    text = service.client.get("/metrics", headers=bearing(service, "admin")).text
    assert "foresail_inbox_events 0.0" in text
    assert "foresail_inbox_oldest_seconds 0.0" in text


def test__metrics__paths_that_are_not_there__are_one_route(service):
    """Who guesses paths must not fill the memory with labels."""
    for number in range(5):
        service.client.get(f"/guess/{number}", headers=bearing(service, "admin"))
    text = service.client.get("/metrics", headers=bearing(service, "admin")).text
    assert "guess" not in text
    assert 'route="other",status="404"' in text


def test__trace__of_the_caller_is_gone_on_with(service):
    response = ask(service, headers=bearing(service, "score") | {"traceparent": f"00-{TRACE}-{SPAN}-01"})
    assert response.headers["x-trace-id"] == TRACE
    version, trace_id, span_id, flags = response.headers["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", TRACE, "01")
    assert re.fullmatch("[0-9a-f]{16}", span_id)
    assert span_id != SPAN


@pytest.mark.parametrize(
    "sent", ["", "x", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE.upper()}-{SPAN}-01"]
)
def test__trace__none_that_can_be_read__is_begun(service, sent):
    response = ask(service, headers=bearing(service, "score") | {"traceparent": sent})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-trace-id"])
    assert response.headers["x-trace-id"].strip("0") not in {"", TRACE}


def test__spans__of_a_request_and_its_stages_reach_the_collector(service, collector):
    """Under the caller's span, with the ids that the answer has told, and nothing in them that names an account."""
    trace_id = "1" * 32
    response = ask(service, headers=bearing(service, "score") | {"traceparent": f"00-{trace_id}-{SPAN}-01"})
    found = collector.of(trace_id)
    request = found["POST /score"]
    assert (request.parent_span_id.hex(), request.span_id.hex()) == (
        SPAN,
        response.headers["traceparent"].split("-")[2],
    )
    assert {attribute.key for attribute in request.attributes} == {
        "http.request.method", "http.route", "http.response.status_code",
    }  # fmt: skip
    for stage in ("lookup", "features", "predict"):
        assert found[stage].parent_span_id == request.span_id
        assert request.start_time_unix_nano <= found[stage].start_time_unix_nano
        assert found[stage].end_time_unix_nano <= request.end_time_unix_nano
    assert abs(request.end_time_unix_nano / 1e9 - time.time()) < 60


def test__spans__the_caller_does_not_want_them__none_are_sent(service, collector):
    ask(service, headers=bearing(service, "score") | {"traceparent": f"00-{'2' * 32}-{SPAN}-00"})
    sampled = ask(service, headers=bearing(service, "score"))
    collector.of(sampled.headers["x-trace-id"])
    assert all(span.trace_id.hex() != "2" * 32 for span in collector.spans)


def test__collector_down__answers_are_given_as_ever(service, collector):
    """The last test of this file: the collector stays down, and so does the service, in time."""
    collector.stop()
    begun = time.monotonic()
    statuses = {ask(service, headers=bearing(service, "admin")).status_code for _ in range(100)}
    assert statuses == {200}
    assert time.monotonic() - begun < 60, "an answer that waited for the collector would take seconds"
    service.process.terminate()
    assert service.process.wait(60) is not None
    with pytest.raises(httpx.TransportError):
        service.client.get("/livez")
