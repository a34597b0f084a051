"""The bento: built from the sources, it serves from a folder where there is none of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import bentoml
import httpx
import pytest
import yaml
from serving_company import answers, free_port, recency_card, register, settings_of, wait_until

ROOT = Path(__file__).parents[3]
UV = ROOT / ".uv/bin"


def described():
    return yaml.safe_load((ROOT / "bentofile.yaml").read_text())


def test__bentofile__asks_for_packages_with_the_floors_of_the_project():
    """One place decides about packages and versions: the core without the terminal's, and what the service's extras bring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    of_the_service = (
        package for extra in ("serve", "traces", "postgres") for package in project["optional-dependencies"][extra]
    )
    core = (package for package in project["dependencies"] if not package.startswith(("rich", "typer")))
    assert set(described()["python"]["packages"]) == {*core, *of_the_service}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(BENTOML_HOME, tag) of a bento made from a copy that can be told from the sources by its title."""
    source, home = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("home")
    for folder in ("features", "registry", "serving"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "bentofile.yaml", source)
    app = source / "serving/api/app.py"
    app.write_text(app.read_text().replace('title="Foresail"', 'title="Foresail in a bento"'))
    made = subprocess.run(
        [sys.executable, "-m", "bentoml", "build", "--output", "tag"],
        cwd=source, env=environment(home), capture_output=True, text=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return home, made.stdout.strip().removeprefix("__tag__:")


def environment(home, **more):
    path = f"{UV}:{os.environ['PATH']}"
    return os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True", "PATH": path} | more


@pytest.fixture(scope="module")
def service(built, company, tmp_path_factory):
    """The bento, served from an empty folder."""
    home, tag = built
    folder = tmp_path_factory.mktemp("empty")
    registry = f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db"
    register(registry, recency_card())
    settings = json.dumps(settings_of(company, tracking_uri=registry, models={"soon": "wholesaler-soon"}))
    port, log = free_port(), home / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "bentoml", "serve", tag, "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder, env=environment(home, FORESAIL_SERVING=settings), stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
    wait_until(lambda: answers(client, "/readyz"), process, log)
    yield client
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(60)


def test__bento__holds_what_serves_and_nothing_that_trains(built):
    home, tag = built
    folder = home / "bentos" / tag.replace(":", "/")
    assert {path.name for path in (folder / "src").iterdir()} == {"features", "registry", "serving", "bentofile.yaml"}
    assert list((folder / "src").rglob("*.pyc")) == []
    required = (folder / "env/python/requirements.txt").read_text().splitlines()
    assert set(described()["python"]["packages"]) <= set(required)


def test__bento__answers_over_rest_with_the_code_that_was_packed(service):
    assert service.get("/v1/openapi.json").json()["info"]["title"] == "Foresail in a bento"
    assert [model["target"] for model in service.get("/v1/models").json()["models"]] == ["soon"]
    response = service.post("/score", json={"account_ids": ["A0"]})
    assert response.status_code == 200, response.text
    assert response.json()["accounts"][0]["scores"][0]["model"] == "wholesaler-soon"


def test__bento__answers_bentomls_own_client(service):
    with bentoml.SyncHTTPClient(str(service.base_url)) as client:
        answer = client.score({"account_ids": ["A0"]})
    assert "A0" in str(answer)
