"""The section of report.html on who sings."""

import headless_browser
import pytest
import simulated_birds

from neurovocal_tf.config import Config
from neurovocal_tf.discovery import report, written

pytestmark = pytest.mark.skipif(
    headless_browser.executable() is None, reason="no Chromium on this machine"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    found, paths, _, _ = simulated_birds.discovered()
    path = report.write(str(out), found, paths, Config(), written.parts(found))
    with headless_browser.Page(f"file://{path}", width=1280, height=900) as page:
        yield page


def cells(page, place):
    return page.evaluate(
        f"[...document.querySelectorAll('#{place} tbody tr')].map("
        "row => [...row.children].map(cell => cell.textContent))"
    )


def test_the_section_has_its_link_and_every_table_its_figures(page):
    assert page.complaints() == [] and page.hosts_asked() == set()
    links = page.evaluate("[...document.querySelectorAll('nav a')].map(a => a.hash)")
    assert links[-1] == "#identity"
    found, *_ = simulated_birds.discovered()
    accuracy = {row[0]: row[1] for row in cells(page, "identity-accuracy")}
    units = found.identity.figures["units"]
    assert accuracy["One call"].startswith(f"{100 * units['call']['accuracy']:.0f} %")
    assert "A stretch of silence" in accuracy and "One call, labels shuffled" in accuracy
    answers = cells(page, "identity-answers")
    assert len(answers) == 12 and {row[1] for row in answers[:3]} == {"·"}


def test_who_is_taken_for_whom_is_chosen_by_keyboard(page):
    def total():
        rows = cells(page, "identity-confusion")
        return sum(int(text.split()[0]) for _, *row in rows for text in row if text != "·")

    units = simulated_birds.discovered()[0].identity.figures["units"]
    assert total() == units["call"]["num"]
    page.evaluate("document.getElementById('identity-unit').focus()")
    page.press("ArrowDown")
    page.press("ArrowDown")
    assert total() == units["recording"]["num"] == 9
    assert cells(page, "identity-bins") and page.complaints() == []
    assert page.evaluate("document.querySelector('#identity-calibration svg').ariaLabel")


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_reaches_beyond_the_page_and_what_scrolls_can_be_reached(page, width):
    page.resize(width, 900)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(
        "[...document.querySelectorAll('#identity .wide')].every(part => "
        "part.scrollWidth <= part.clientWidth || part.tabIndex === 0)"
    )
