"""A headless Chromium, driven over a pipe by its own DevTools protocol:
no driver and no library between.

https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

# As root, and where there is little shared memory and no graphics card.
_FLAGS = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
]
_FLAGS += ["--hide-scrollbars", "--no-first-run", "--autoplay-policy=no-user-gesture-required"]
_BECOME_BROWSER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)


def executable():
    """Path of a Chromium on this machine, or None."""
    return next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


class Page:
    """One page in a browser of its own.

    Args:
        url: opened at once.    width, height: CSS pixels.
        timeout_s: of everything that is waited for.    dark: bool, colour scheme.
    """

    def __init__(self, url, width=1200, height=1500, timeout_s=60.0, dark=False):
        self._timeout_s, self._number, self._unread, self.events = timeout_s, 0, b"", []
        self._closing = contextlib.ExitStack()
        profile = self._closing.enter_context(
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        )
        # The browser reads what it is told from 3, and answers on 4.
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        # Another's copy must not lie where the browser's are put, nor be closed by that.
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (commands, answers)]
        flags = [f"--user-data-dir={profile}", f"--window-size={width},{height}", *_FLAGS]
        command = [
            sys.executable,
            "-c",
            _BECOME_BROWSER,
            *map(str, theirs),
            executable(),
            *flags,
            "about:blank",
        ]
        self._process = subprocess.Popen(
            command, pass_fds=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._closing.callback(self._stop)
        for end in (commands, answers, *theirs):
            os.close(end)
        self._session = None
        target = next(
            t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"
        )
        self._session = self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM", "Network"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        self.call("Page.navigate", url=url)
        self.wait_for("location.href != 'about:blank' && document.readyState == 'complete'")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closing.close()

    def call(self, method, **params):
        """Sends a command and returns its result; events that come meanwhile
        are kept in `events`.
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def evaluate(self, expression):
        """The value of a JavaScript expression, awaited."""
        found = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, expression):
        """Waits until a JavaScript expression is true."""
        end = time.monotonic() + self._timeout_s
        while not self.evaluate(expression):
            assert time.monotonic() < end, (
                f"never true: {expression}; the page says: "
                f"{self.evaluate('document.body.innerText')}"
            )
            time.sleep(0.05)

    def choose_file(self, selector, path):
        """Gives a file field a file."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def drag(self, *points, steps=4):
        """Moves the mouse from the first of some (x, y) in CSS pixels to the others with its button
        down.
        """
        x, y = points[0]
        self._mouse("mouseMoved", x, y, buttons=0)
        self._mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
        for to_x, to_y in points[1:]:
            for step in range(1, steps + 1):
                share = step / steps
                self._mouse("mouseMoved", x + (to_x - x) * share, y + (to_y - y) * share, buttons=1)
            x, y = to_x, to_y
        self._mouse("mouseReleased", x, y, button="left", buttons=0, clickCount=1)

    def press(self, key, *modifiers):
        """Presses a key, by its name in JavaScript, while "Alt", "Control" or "Shift" are held."""
        held = sum({"Alt": 1, "Control": 2, "Shift": 8}[name] for name in modifiers)
        text = key if len(key) == 1 and "Control" not in modifiers else ""
        for kind in ("keyDown", "keyUp"):
            typed = {"text": text} if text and kind == "keyDown" else {}
            code = {" ": "Space"}.get(key, f"Key{key.upper()}" if len(key) == 1 else key)
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=code, modifiers=held, **typed
            )

    def resize(self, width, height, dark=False):
        """Gives the page another size, and a colour scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )

    def go(self, url):
        """Opens another page, or the same anew, in the same browser."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        self._wait_for_load()

    def follow(self, expression):
        """Evaluates what leads to another page."""
        self.events.clear()
        self.evaluate(expression)
        self._wait_for_load()

    def screenshot(self, path):
        """Writes a PNG of the whole page."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(found["data"]))

    def complaints(self):
        """What the browser has put down as errors: exceptions, refused resources,
        breaches of the content policy.
        """
        self.evaluate("1")
        of_script = [
            event["params"]["exceptionDetails"]["text"]
            for event in self.events
            if event["method"] == "Runtime.exceptionThrown"
        ]
        logged = [
            event["params"]["entry"] for event in self.events if event["method"] == "Log.entryAdded"
        ]
        return of_script + [entry["text"] for entry in logged if entry["level"] == "error"]

    def hosts_asked(self):
        """Host and port of every request that the page has made."""
        urls = [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return {url.split("/")[2] for url in urls if url.startswith("http")}

    def _wait_for_load(self):
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())

    def _mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def _read(self):
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._answers], [], [], self._timeout_s)
            assert ready, "the browser does not answer"
            more = os.read(self._answers, 1 << 20)
            assert more, "the browser has ended"
            self._unread += more
        answer, _, self._unread = self._unread.partition(b"\0")
        return json.loads(answer)

    def _stop(self):
        os.close(self._commands)
        os.close(self._answers)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
