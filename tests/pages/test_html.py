"""Self-contained HTML: nothing that a name or a label brings in is more than text."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

from neurovocal_tf.pages import html, review

HOSTILE = (
    "</script><script>alert(1)</script><!-- \"'&<img src=x onerror=alert(1)> \u2028 {{script}}"
)


class Elements(HTMLParser):
    """All elements of a page, (tag, attributes), and the text after each tag begins."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append([tag, dict(attributes), ""])

    def handle_data(self, data):
        if self.found:
            self.found[-1][2] += data

    def of(self, tag):
        return [(attributes, text) for name, attributes, text in self.found if name == tag]


def a_page(text):
    texts = {"title": text, "name": text, "bounds": text}
    return html.page("review_page", review._SCRIPTS, texts, {"recording": {"label": text}})


def test_a_hostile_name_adds_no_element_and_comes_back_as_it_was():
    plain, hostile = Elements(a_page("song")), Elements(a_page(HOSTILE))
    assert [one[:2] for one in hostile.found] == [one[:2] for one in plain.found]
    assert hostile.of("h1")[0][1].strip() == HOSTILE.strip()
    [data] = [text for attributes, text in hostile.of("script") if attributes.get("id")]
    assert json.loads(data) == {"label": HOSTILE}


def test_the_policy_lets_run_the_pages_own_script_alone_and_nothing_be_asked_for():
    text = a_page("song")
    page = Elements(text)
    [policy] = [a["content"] for a, _ in page.of("meta") if "http-equiv" in a]
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert directives["default-src"] == "'none'" and "unsafe" not in policy
    assert set(directives) <= {
        "default-src", "script-src", "style-src", "img-src", "base-uri", "form-action",
    }  # fmt: skip
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    for directive, (content,) in (("script-src", scripts), ("style-src", styles)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert directives[directive] == f"'sha256-{digest}'"
    # No address of another place, but for sources that comments name.
    assert not re.findall(r"(?:src|href)=.?https?:", text) and "fetch(" not in text
    assert not [
        a for _, a, _ in page.found for name in a if name.startswith("on") or name == "style"
    ]


def test_names_that_are_no_unicode_make_a_page():
    assert "song?.wav" in a_page("song\udcff.wav")
