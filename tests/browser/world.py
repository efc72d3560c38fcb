"""What the suite's tests share: the collector and its stream, Node.js and Chromium from the profile `browser`, a site that serves pages."""

import http.server
import json
import os
import shutil
import socketserver
import subprocess
import sys
import threading
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from evs import DEADLINE_S, ROOT, Nats, Server, Skip, wait_until

HERE = os.path.join(ROOT, "tests/browser")
TRACKER = os.path.join(ROOT, "tracker")
NODE = os.path.join(HERE, "node_modules/.bin/node")
KEY = "test-key-of-twenty-seven-ch"  # as long as a key of RudderStack
SOURCE = "web"


def chromium():
    found = shutil.which("chromium")
    if not found:
        raise Skip("chromium is not installed: ./dev setup --profile browser")
    return found


def need_packages():
    if not os.path.exists(NODE) or not os.path.isdir(os.path.join(TRACKER, "node_modules")):
        raise Skip("the npm packages are not installed: ./dev setup --profile browser")


def node(*arguments, **more):
    """Runs Node.js to its end; what it prints on an error is the failure."""
    need_packages()
    done = subprocess.run([NODE, *map(str, arguments)], capture_output=True, check=False, timeout=60, **more)
    if done.returncode != 0:
        raise AssertionError(f"node {arguments[0]} ended with {done.returncode}:\n{done.stdout.decode()[-3000:]}{done.stderr.decode()[-3000:]}")
    return done.stdout.decode()


class Collector(Server):
    """evstream collect; can be killed, and comes back on the same port with the same spool."""

    def __init__(self, suite, nats, name="collector", *options):
        self.program, self.nats, self.options = suite.program, nats, options
        super().__init__(suite.folder, name)

    def command(self):
        return [self.program, "collect", "--listen", f"127.0.0.1:{self.port}", "--nats", self.nats.url, "--create", "--key", f"{SOURCE}={KEY}",
                "--allow-origin", "*", "--spool", os.path.join(self.folder, "spool"), *self.options]

    def is_ready(self):
        self.check_alive()
        try:
            with urllib.request.urlopen(self.url + "/readyz", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"


class Site:
    """A web site on an origin of its own: pages by path, whatever the query."""

    def __init__(self, folder):
        self.pages = {}
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # noqa: N802, the name is http.server's
                path = self.path.split("?")[0]
                body = site.pages.get(path)
                if body is None and path == "/clients.js":
                    with open(os.path.join(folder, "clients.js"), "rb") as file:
                        body = file.read().decode()
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Type", "text/javascript" if path.endswith(".js") else "text/html; charset=utf-8")
                encoded = (body or "").encode()
                self.send_header("Content-Length", str(len(encoded)))
                self.end_headers()
                self.wfile.write(encoded)

            def log_message(self, *_):
                pass

        class Threads(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

        self.server = Threads(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"


class Chromium:
    """driver.mjs: a line of JSON a command."""

    def __init__(self, log_path):
        need_packages()
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen([NODE, os.path.join(HERE, "driver.mjs"), chromium()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=log, cwd=HERE)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("Chromium's driver has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["value"]

    def __call__(self, do, **more):
        self.process.stdin.write((json.dumps({"do": do, **more}) + "\n").encode())
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE_S)


class World:
    """Servers and browser, started when a test first asks for them, once for all tests."""

    def __init__(self, suite):
        self.suite = suite
        self.made = {}

    def once(self, name, make):
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    @property
    def nats(self):
        return self.once("nats", lambda: Nats(self.suite.folder))

    @property
    def collector(self):
        return self.once("collector", lambda: Collector(self.suite, self.nats))

    @property
    def site(self):
        return self.once("site", lambda: Site(self.suite.folder))

    @property
    def browser(self):
        return self.once("browser", lambda: Chromium(self.suite.path("chromium.log")))

    def bundle(self):
        self.once("bundle", lambda: node(os.path.join(HERE, "pages/bundle.mjs"), self.suite.folder) or True)

    def events(self, stream="CLICKS"):
        return [json.loads(line) for line in self.suite.dump(self.nats, stream) if line]

    def events_of(self, mine, count, what):
        """Waits for `count` events of a test; there may be no more, and each has an id of its own."""
        found = []

        def enough():
            found[:] = [event for event in self.events() if mine(event)]
            return len(found) >= count

        try:
            wait_until(enough, what, 60)
        except TimeoutError:
            raise AssertionError(f"{what}: {len(found)} of {count} events came: {[e['type'] for e in found]}") from None
        if len(found) != count or len({event["event_id"] for event in found}) != count:
            raise AssertionError(f"{what}: {len(found)} events instead of {count}: {[(e['type'], e['event_id']) for e in found]}")
        return sorted(found, key=lambda event: (event["occurred_at"], event["event_id"]))

    def end(self):
        if "browser" in self.made:
            self.made["browser"].end()


def holds(event, expected, where=""):
    """Every field that is expected is there, with this value; a dictionary is looked into, `...` is any value at all."""
    for name, value in expected.items():
        path = f"{where}{name}"
        if name not in event:
            raise AssertionError(f"{path} is missing in {json.dumps(event)[:1500]}")
        if isinstance(value, dict):
            holds(event[name], value, path + ".")
        elif value is not ... and event[name] != value:
            raise AssertionError(f"{path} is {event[name]!r} instead of {value!r} in {json.dumps(event)[:1500]}")


def one(events, **fields):
    """The only event with these fields."""
    found = [event for event in events if all(event.get(name) == value for name, value in fields.items())]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} events are {fields}: {[event['type'] for event in events]}")
    return found[0]
