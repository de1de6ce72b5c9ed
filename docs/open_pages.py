"""Open every page of the built site in a browser, and fail where a reader would see a fault.

`make docs` calls it. With --pictures it also saves a picture of each page, in light and dark, 1280 and 400 pixels wide:

    python docs/open_pages.py docs/_build/html --pictures pictures guide/update gallery/index

The browser is Chromium or Chrome, from the PATH or from the environment variable CHROMIUM. Without one nothing is
opened, and a message says so. The script talks to it through two pipes (the DevTools protocol, a JSON object a
message), so it needs no other package.
"""

import argparse
import base64
import json
import os
import select
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "chrome",
)
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
FLAGS = (
    "--headless", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu", "--disable-quic",
    "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--no-first-run", "--hide-scrollbars", "--mute-audio",
)  # fmt: skip
# Nothing may be loaded from elsewhere. A page that tries has a fault, and does not wait for an answer.
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND"
PATIENCE = 60.0  # seconds for one answer of the browser
WIDE, NARROW, HEIGHT = 1280, 400, 900

# Run in each page: a list of faults. Formulas are complete when MathJax says so.
FAULTS_OF_A_WIDE_WINDOW = """(async () => {
    if (window.MathJax?.startup?.promise) await MathJax.startup.promise;
    const faults = [];
    for (const image of document.images) {
        if (!image.complete && image.loading === "lazy") {
            const loaded = new Promise((done) => { image.onload = image.onerror = done; });
            image.loading = "eager";
            await loaded;
        }
        if (!image.naturalWidth) faults.push(`broken image: ${image.getAttribute("src")}`);
    }
    for (const block of document.querySelectorAll("pre")) {
        if (block.clientWidth && block.scrollWidth > block.clientWidth + 1) {
            const longest = block.innerText.split("\\n").reduce((a, b) => b.length > a.length ? b : a);
            faults.push(`clipped code, ${longest.length} columns: ${longest.trim().slice(0, 60)}`);
        }
    }
    for (const formula of document.querySelectorAll("mjx-container[display]")) {
        if (formula.firstElementChild.getBoundingClientRect().width > formula.parentElement.clientWidth + 1)
            faults.push(`clipped formula: ${formula.parentElement.innerText.slice(0, 60)}`);
    }
    for (const error of document.querySelectorAll("mjx-merror, [data-mjx-error]"))
        faults.push(`formula with an error: ${error.dataset.mjxError ?? error.innerText}`);
    if (document.querySelector(".math") && !window.MathJax?.startup?.promise) faults.push("formulas without MathJax");
    return faults;
})()"""
FAULTS_OF_A_NARROW_WINDOW = """(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const parts = [...document.querySelectorAll("main *")];
    const widest = parts.find((part) => part.getBoundingClientRect().right > width + 1);
    return [`wider than a window of ${width} pixels: ${widest?.tagName} ${widest?.className}`];
})()"""

# A page with all faults. If one of them is not seen, the check itself is broken.
FAULTY_PAGE = """<!doctype html><meta name="viewport" content="width=device-width"><title>faulty</title><main>
<img src="missing.png" alt=""><img src="https://example.org/elsewhere.png" alt="">
<pre style="width: 20em; overflow: auto">a line of code that does not fit into the width of its block</pre>
<p class="math">x</p><div style="width: 900px">wide</div></main>
<script>console.error("reported by the page")</script><script>undefinedFunction()</script>"""
FAULTS_OF_FAULTY_PAGE = (
    "broken image: missing.png",
    "clipped code, 60 columns",
    "console: reported by the page",
    "formulas without MathJax",
    "from the network: https://example.org/elsewhere.png",
    "undefinedFunction is not defined",
    "wider than a window of 400 pixels: DIV",
)


class Browser:
    """A running browser with one tab. As a context manager it ends with the block."""

    def __init__(self, program):
        self.profile = tempfile.TemporaryDirectory(
            prefix="browser-", ignore_cleanup_errors=True
        )
        # The browser reads from descriptor 3 and writes to descriptor 4.
        their_input, self.output = os.pipe()
        self.input, their_output = os.pipe()
        command = [
            program,
            *FLAGS,
            OFFLINE,
            f"--user-data-dir={self.profile.name}",
            "about:blank",
        ]
        self.process = os.posix_spawn(
            program,
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, their_input, 3),
                (os.POSIX_SPAWN_DUP2, their_output, 4),
            ],
        )
        os.close(their_input)
        os.close(their_output)
        self.received = b""
        self.events = []
        self.n_calls = 0
        self.session = None
        (tab,) = [
            target
            for target in self.call("Target.getTargets")["targetInfos"]
            if target["type"] == "page"
        ]
        attached = self.call(
            "Target.attachToTarget", targetId=tab["targetId"], flatten=True
        )
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session = None
        with suppress(OSError, EOFError):
            self.call("Browser.close")
        os.close(self.input)
        os.close(self.output)
        os.waitpid(self.process, 0)
        self.profile.cleanup()

    def receive(self):
        """Return the next message of the browser."""
        while b"\0" not in self.received:
            if not select.select([self.input], [], [], PATIENCE)[0]:
                raise TimeoutError(
                    f"The browser has not answered for {PATIENCE:.0f} seconds."
                )
            if not (part := os.read(self.input, 1 << 20)):
                raise EOFError("The browser has ended; start it by hand to see why.")
            self.received += part
        message, _, self.received = self.received.partition(b"\0")
        return json.loads(message)

    def call(self, method, **parameters):
        """Call a method of the protocol; return its result. Events that come before it are kept in `events`."""
        self.n_calls += 1
        message = {"id": self.n_calls, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        unsent = json.dumps(message).encode() + b"\0"
        while unsent:
            unsent = unsent[os.write(self.output, unsent) :]
        while True:
            answer = self.receive()
            if answer.get("id") == self.n_calls:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def resize(self, width, height=HEIGHT):
        """Give the window this size, in pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def open(self, url):
        """Open a page and wait until it has loaded."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not any(
            event.get("method") == "Page.loadEventFired" for event in self.events
        ):
            self.events.append(self.receive())

    def evaluate(self, expression):
        """Return the value of a JavaScript expression in the open page."""
        answer = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def reported(self):
        """What the open page has reported as an error, and what it has tried to load from the network."""
        for event in self.events:
            match event.get("method"), event.get("params"):
                case "Runtime.exceptionThrown", {"exceptionDetails": details}:
                    yield (
                        details.get("exception", {})
                        .get("description", details["text"])
                        .splitlines()[0]
                    )
                case "Runtime.consoleAPICalled", {
                    "type": "error" | "assert",
                    "args": values,
                }:
                    yield "console: " + " ".join(
                        str(value.get("value", value.get("description")))
                        for value in values
                    )
                case "Log.entryAdded", {"entry": {"level": "error"} as entry}:
                    yield f"{entry['text']} {entry.get('url', '')}"
                case "Network.requestWillBeSent", {"request": {"url": url}} if (
                    url.startswith("http")
                ):
                    yield f"from the network: {url}"

    def faults(self, url):
        """Open a page; return its faults."""
        self.resize(WIDE)
        self.open(url)
        faults = self.evaluate(FAULTS_OF_A_WIDE_WINDOW)
        self.resize(NARROW)
        faults += self.evaluate(FAULTS_OF_A_NARROW_WINDOW)
        return [*dict.fromkeys([*faults, *self.reported()])]

    def photograph(self, url, name, folder):
        """Save pictures of a whole page."""
        for width in (WIDE, NARROW):
            for scheme in ("light", "dark"):
                self.call(
                    "Emulation.setEmulatedMedia",
                    features=[{"name": "prefers-color-scheme", "value": scheme}],
                )
                self.resize(width)
                self.open(url)
                self.evaluate(
                    FAULTS_OF_A_WIDE_WINDOW
                )  # waits for formulas and loads all images
                height = self.evaluate("document.documentElement.scrollHeight")
                self.resize(width, min(height, 16_000))
                picture = self.call("Page.captureScreenshot", format="png")["data"]
                path = Path(folder, f"{name.replace('/', '.')}.{width}.{scheme}.png")
                path.write_bytes(base64.b64decode(picture))


def find_browser():
    """Return the path of a browser, or None."""
    candidates = [name] if (name := os.environ.get("CHROMIUM")) else [*NAMES, MAC]
    return next(filter(None, map(shutil.which, candidates)), None)


def check_the_check(browser):
    """Raise an error if a page with faults does not show all of them."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "faulty.html")
        page.write_text(FAULTY_PAGE, encoding="utf-8")
        seen = browser.faults(page.as_uri())
    unseen = [
        fault
        for fault in FAULTS_OF_FAULTY_PAGE
        if not any(fault in each for each in seen)
    ]
    if unseen:
        raise RuntimeError(
            f"This check is broken: in a page with faults it has not seen {unseen}, but {seen}."
        )


def main():
    """Check the pages of a folder, and photograph some."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path, help="the folder with the built pages")
    parser.add_argument(
        "pages", nargs="*", help="only these, without .html; default: all"
    )
    parser.add_argument(
        "--pictures", type=Path, help="also save pictures of the pages in this folder"
    )
    options = parser.parse_intermixed_args()
    program = find_browser()
    if program is None:
        print(
            "No Chromium or Chrome was found: the pages have not been opened in a browser."
        )
        return 0
    site = options.site.resolve()
    found = sorted(
        page.relative_to(site).with_suffix("").as_posix()
        for page in site.glob("**/*.html")
    )
    pages = options.pages or [page for page in found if not page.startswith("_")]
    started = time.perf_counter()
    n_faults = 0
    with Browser(program) as browser:
        check_the_check(browser)
        for name in pages:
            url = (site / f"{name}.html").as_uri()
            for fault in browser.faults(url):
                n_faults += 1
                print(f"{name}.html: {fault}", file=sys.stderr)
            if options.pictures is not None:
                options.pictures.mkdir(parents=True, exist_ok=True)
                browser.photograph(url, name, options.pictures)
    seconds = time.perf_counter() - started
    print(
        f"{len(pages)} pages opened in a browser, {n_faults} faults ({seconds:.0f} s)"
    )
    return 1 if n_faults else 0


if __name__ == "__main__":
    sys.exit(main())
