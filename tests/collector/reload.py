"""SIGHUP: the configuration is read again, without a connection, a request or an event lost."""

import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess

from evs import Nats, same, wait_until

CONFIG = """
access-log = {access}
{more}
[source web]
key = {key}
allow-origin = {origin}
"""


class Reload:
    def __init__(self, suite, make):
        self.suite, self.make = suite, make

    def hang_up(self, collector, cause="reloaded"):
        before = collector.log().count(f" {cause}: ")
        collector.process.send_signal(signal.SIGHUP)
        wait_until(lambda: collector.log().count(f" {cause}: ") > before, f"`{cause}` in the log:\n{collector.log()[-1500:]}")

    def write(self, key="k1", origin="https://a.example", more=""):
        return self.suite.write("reload.conf", CONFIG.format(access=self.suite.path("reload.access"), key=key, origin=origin, more=more))

    def settings(self):
        nats = Nats(self.suite.path_of("reload"))
        collector = self.make(self.suite, nats.url, "--config", self.write(), name="reload")

        def send(key, origin="https://a.example", number=0):
            return collector.ask("POST", f"/v1/events?write_key={key}", json.dumps({"type": "a", "event_id": f"{key}-{number}"}), {"Origin": origin})[0]

        same([send("k1"), send("k2"), send("k1", "https://b.example")], [200, 401, 403], "before")
        held = collector.connection()  # a connection stays, and a request that is under way is answered
        held.request("GET", "/healthz")
        held.getresponse().read()
        nats.freeze()
        held.request("POST", "/v1/events?write_key=k1", body=json.dumps({"type": "a", "event_id": "held"}))
        wait_until(lambda: collector.metric("pending_requests") == 1, "a request under way")
        os.rename(self.suite.path("reload.access"), self.suite.path("reload.access.1"))
        self.write("k2", "https://b.example")
        self.hang_up(collector)
        nats.thaw()
        same(held.getresponse().read(), b'{"success":true}', "the request that was under way")
        held.request("POST", "/v1/events?write_key=k2", body=json.dumps({"type": "a", "event_id": "later"}))
        same(held.getresponse().read(), b'{"success":true}', "the connection that was open")
        same([send("k1"), send("k2", "https://b.example"), send("k2")], [401, 200, 403], "afterwards")
        same(collector.metric("events", source="web"), 4, "counts go on")
        with open(self.suite.path("reload.access"), encoding="utf-8") as log:
            assert " POST /v1/events 403 " in log.read(), "the access log was opened again"
        # What cannot be applied leaves everything as it was.
        people = self.suite.write("people.txt", "# nobody yet\n")
        self.write("k2", "https://b.example", f"suppress = {people}")
        self.hang_up(collector)

        def tell(number, **who):
            body = json.dumps({"type": "a", "event_id": f"person-{number}", **who})
            same(collector.ask("POST", "/v1/events?write_key=k2", body)[0], 200, who)

        tell(1, user_id="ann")
        self.suite.write("people.txt", "\n".join(hashlib.sha256(i.encode()).hexdigest() for i in ("ann", "device 7")) + "\n")
        self.hang_up(collector)
        for number, who in enumerate(({"user_id": "ann"}, {"anonymous_id": "device 7", "user_id": "eve"}, {"user_id": "bob"}), 2):
            tell(number, **who)
        same(collector.metric("dropped", reason="suppressed"), 2, "left out")
        stored = [json.loads(line)["event_id"] for line in self.suite.dump(nats, "CLICKS")]
        same(sorted(i for i in stored if i.startswith("person")), ["person-1", "person-4"], "what is stored of whom")
        self.suite.write("people.txt", "ann\n")
        self.hang_up(collector, "reload_failed")
        assert "people.txt:1: this is no SHA-256" in collector.log()
        for more, cause, text in (("ip = sometimes", "reload_failed", "no value of ip"), (f"schemas = {self.suite.path('nowhere')}", "reload_failed", "nowhere"),
                                  ("partitions = 8", "reload_later", "`partitions`")):
            self.write("k3", "https://b.example", more)
            self.hang_up(collector, cause)
            assert text in collector.log(), collector.log()[-1500:]
            wait_until(lambda: send("k3", "https://b.example") == (200 if cause == "reload_later" else 401), f"the key after {more}")
        same(collector.end(), 0, "exit code")
        found = [json.loads(line) for line in self.suite.dump(nats, "CLICKS")]
        assert {"held", "later"} <= {event["event_id"] for event in found}, found
        nats.kill()

    def certificates(self):
        """A new certificate is shown to who connects from now on; who is connected stays."""
        nats = Nats(self.suite.path_of("renewed"))
        cert, key = self.suite.path("renewed.pem"), self.suite.path("renewed.key")

        def renew(name):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", f"/CN={name}"],
                           check=True, capture_output=True)

        renew("first")
        collector = self.make(self.suite, nats.url, "--tls-cert", cert, "--tls-key", key, name="renewed", scheme="https")

        def shown():
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(socket.create_connection(("127.0.0.1", collector.port), timeout=60)) as link:
                return link.getpeercert(binary_form=True)

        held = collector.connection()
        held.request("GET", "/healthz")
        held.getresponse().read()
        first = shown()
        renew("second")
        same(shown(), first, "nothing changes by itself")
        self.hang_up(collector)
        assert shown() != first
        held.request("GET", "/healthz")
        same(held.getresponse().read(), b"ok\n", "a connection from before")
        with open(key, "w", encoding="utf-8") as file:
            file.write("no key")
        second = shown()
        self.hang_up(collector, "reload_failed")
        same(shown(), second, "a key that cannot be read")
        same(collector.end(), 0, "exit code")
        nats.kill()
