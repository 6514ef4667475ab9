"""The page at /, and what a page of one file may do in a browser: run its own script, and ask its
own server.
"""

import base64
import hashlib
import pathlib
import re

from neurovocal_tf.server.origins import NOTHING_ALLOWED

PAGE = pathlib.Path(__file__).with_name("page") / "index.html"
_ELEMENTS = {
    "script-src": re.compile(rb"<script>(.*?)</script>", re.DOTALL),
    "style-src": re.compile(rb"<style>(.*?)</style>", re.DOTALL),
}


def policy(page: bytes) -> str:
    """The header Content-Security-Policy of a page.

    What stands in its script and style elements is known by its hash, so that nothing that anyone
    brought into the page would run. https://www.w3.org/TR/CSP3/#external-hash

    HTML -> str
    """
    own = [
        f"{directive} {' '.join(map(_hash, found))}"
        for directive, element in _ELEMENTS.items()
        if (found := element.findall(page))
    ]
    return "; ".join([NOTHING_ALLOWED, *own, "connect-src 'self'", "img-src data:"])


def _hash(text: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"
