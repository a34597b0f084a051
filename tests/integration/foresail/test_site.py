"""The documentation site: it builds as `make docs` builds it, and a reader's browser asks nobody else for anything."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("material", reason="mkdocs-material, dependency group docs, is not installed")

ROOT = Path(__file__).parents[3]


def built(source, folder):
    """The finished process of a strict build of the site of `source` into a folder."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    answer = built(ROOT, folder)
    assert answer.returncode == 0, answer.stderr
    return folder


def test__site__loads_nothing_from_another_host(site):
    """Fonts, scripts, styles and pictures are the site's own: it reads the same without a network."""
    foreign = {
        found
        for page in site.rglob("*.html")
        for found in re.findall(
            r"<(?:script|img|source|iframe)[^>]+src=[\"']?(?:https?:)?//[^\"'\s>]+"
            r"|<link[^>]+rel=[\"']?(?:stylesheet|preconnect|icon|preload)[^>]+href=[\"']?(?:https?:)?//[^\"'\s>]+",
            page.read_text(encoding="utf-8"),
        )
    }
    assert foreign == set()
    assert not any(
        "@import" in text or "url(http" in text for text in (path.read_text() for path in site.rglob("*.css"))
    )


def test__site__has_every_page_and_its_search(site):
    pages = {path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    for page in pages:
        folder = page.parent if page.name in {"index", "README"} else page
        assert (site / folder / "index.html").is_file(), page
    assert (site / "search" / "search_index.json").stat().st_size > 100_000


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("[there](nothing.md)", "nothing.md"),
        ("[there](start/install.md#nowhere)", "nowhere"),
        ("", "not included in the"),
    ],
    ids=["dead link", "missing anchor", "unlisted page"],
)
def test__site__with_a_fault__is_not_built(tmp_path, added, said):
    """A page of the copy gets the fault; one more page that nav does not list is a fault of its own."""
    for name in ("mkdocs.yml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    page = tmp_path / "docs" / ("index.md" if added else "extra.md")
    page.write_text((page.read_text(encoding="utf-8") if added else "# Extra") + f"\n{added}\n", encoding="utf-8")
    answer = built(tmp_path, tmp_path / "site")
    assert answer.returncode == 1
    assert said in answer.stdout + answer.stderr
