"""Self-contained HTML: a template, its styles, its scripts and its data in one file that a browser
opens without a server, and that asks nobody for anything.
"""

import base64
import hashlib
import html
import importlib.resources
import json
import re
from collections.abc import Mapping, Sequence

_PLACE = re.compile(r"\{\{(\w+)\}\}")


def page(
    folder: str,
    scripts: Sequence[str],
    texts: Mapping[str, str],
    data: Mapping[str, object],
) -> str:
    """A page out of package data: `page.html`, `style.css` and scripts of one folder, after the
    `base.css` of all.

    `{{name}}` in the template is where a text goes; `{{policy}}`, `{{style}}`, `{{script}}` and
    `{{data}}` are where the rest does. The content policy lets nothing run but these very scripts,
    whatever a recording's name or label brings into the page, and lets nothing be asked for.
    https://www.w3.org/TR/CSP3/

    Args:
        folder: in the folder of this room.
        scripts: names in `folder`, in the order to run in, as if they were one.
        texts: name in the template -> plain text, which is escaped.
        data: id of an element -> what it holds, as JSON.

    Returns: HTML. What is no Unicode in a file's name is shown as a question mark.
    """
    room = importlib.resources.files(__package__)
    own = room / folder
    style = "".join(
        sheet.read_text(encoding="utf-8") for sheet in (room / "base.css", own / "style.css")
    )
    script = "".join((own / name).read_text(encoding="utf-8") for name in scripts)
    policy = [
        "default-src 'none'",
        f"script-src {_hash(script)}" if script else "script-src 'none'",
        f"style-src {_hash(style)}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    parts = {name: html.escape(_shown(text)) for name, text in texts.items()} | {
        "policy": "; ".join(policy),
        "style": f"<style>{style}</style>",
        "script": f"<script>{script}</script>" if script else "",
        "data": "\n".join(_data(name, value) for name, value in data.items()),
    }
    template = (own / "page.html").read_text(encoding="utf-8")
    return _PLACE.sub(lambda match: parts[match[1]], template)


def base64_text(content: bytes) -> str:
    """Bytes as text that JSON holds."""
    return base64.b64encode(content).decode("ascii")


def _shown(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _data(name: str, value: object) -> str:
    # Of what HTML knows, only a tag or a comment ends or begins anything within a script element,
    # and both have this sign; JSON has it in strings alone.
    text = json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
