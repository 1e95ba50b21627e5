import re
from pathlib import Path

import pytest

from tests.kit.sources import ROOT

PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "node_modules" for part in page.relative_to(ROOT).parts)
)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)[^)]*\)")
NAMED = re.compile(r"`((?:daemon|streams|skills|tests|deploy|grafana)/[\w/.-]*)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_points_to_is_there(page: Path):
    text = page.read_text("utf-8")
    pointed = [page.parent / place for place in LINK.findall(text)] + [ROOT / place for place in NAMED.findall(text)]
    assert not [str(place.relative_to(ROOT)) for place in pointed if not place.exists()]


def test_every_page_is_reached_from_the_first_one():
    first = (ROOT / "README.md").read_text("utf-8")
    reached = {(ROOT / place).resolve() for place in LINK.findall(first)}
    for page in sorted(reached):
        if page.suffix == ".md":
            reached |= {(page.parent / place).resolve() for place in LINK.findall(page.read_text("utf-8"))}
    lost = [page for page in PAGES if page not in reached and page.name != "CHANGELOG.md" and page != ROOT / "README.md"]
    assert not [str(page.relative_to(ROOT)) for page in lost]
