"""A client of the Language Server Protocol that speaks to the real program over pipes. Standard library only."""

import json
import os
import select
import subprocess
import time

DEADLINE_S = 120


class Failed(AssertionError):
    """The server has refused a request."""

    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]
        self.message = error["message"]


def frame(body):
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


class Client:
    def __init__(self, program, utf8=False, snippets=False, initialize=True, options=None):
        self.process = subprocess.Popen([program, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.received = b""
        self.next_id = 0
        self.diagnostics = {}  # uri -> (version, list)
        self.texts = {}  # uri -> [version, text]
        self.utf8 = utf8
        if initialize:
            encodings = ["utf-8", "utf-16"] if utf8 else ["utf-16"]
            item = {"snippetSupport": snippets}
            capabilities = {"general": {"positionEncodings": encodings}, "textDocument": {"completion": {"completionItem": item}}}
            self.capabilities = self.ask("initialize", {"processId": os.getpid(), "rootUri": None, "capabilities": capabilities,
                                                        "initializationOptions": options or {}})["capabilities"]
            self.tell("initialized", {})

    # --- messages -----------------------------------------------------------------------------------------------------------------

    def send_bytes(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message):
        self.send_bytes(frame(json.dumps({"jsonrpc": "2.0", **message}).encode()))

    def read(self):
        """The next message. Whatever is no frame is a failure: nothing else may stand on standard output."""
        end = time.monotonic() + DEADLINE_S
        while True:
            head, found, rest = self.received.partition(b"\r\n\r\n")
            if found:
                assert head.startswith(b"Content-Length: ") and b"\n" not in head, head
                count = int(head[16:])
                if len(rest) >= count:
                    self.received = rest[count:]
                    message = json.loads(rest[:count].decode("utf-8"))
                    assert message["jsonrpc"] == "2.0"
                    return message
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            assert ready, "the server does not answer"
            got = os.read(self.process.stdout.fileno(), 1 << 20)
            assert got, f"the server has ended: {self.process.stderr.read().decode(errors='replace')[-2000:]}"
            self.received += got

    def take(self, message):
        if message.get("method") == "textDocument/publishDiagnostics":
            params = message["params"]
            self.diagnostics[params["uri"]] = (params.get("version"), params["diagnostics"])
            return True
        return False

    def ask(self, method, params):
        self.next_id += 1
        self.send({"id": self.next_id, "method": method, "params": params})
        return self.answer(self.next_id)

    def answer(self, number):
        while True:
            message = self.read()
            if not self.take(message):
                assert message.get("id") == number, message
                if "error" in message:
                    raise Failed(message["error"])
                return message["result"]

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def end(self):
        """Shutdown and exit: the exit code, and that nothing was written to standard error."""
        self.ask("shutdown", None)
        self.tell("exit", None)
        self.process.stdin.close()
        code = self.process.wait(timeout=DEADLINE_S)
        errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        assert code == 0 and errors == b"", (code, errors[-2000:])

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    # --- documents ------------------------------------------------------------------------------------------------------------------

    def open(self, uri, text):
        self.texts[uri] = [1, text]
        self.tell("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "evs", "version": 1, "text": text}})

    def change(self, uri, changes):
        self.texts[uri][0] += 1
        self.tell("textDocument/didChange", {"textDocument": {"uri": uri, "version": self.texts[uri][0]}, "contentChanges": changes})

    def rewrite(self, uri, text):
        self.texts[uri][1] = text
        self.change(uri, [{"text": text}])

    def edit(self, uri, start, end, text):
        """Replaces characters start … end of the text, as an incremental change."""
        old = self.texts[uri][1]
        change = {"range": {"start": self.position(old, start), "end": self.position(old, end)}, "text": text}
        self.texts[uri][1] = old[:start] + text + old[end:]
        self.change(uri, [change])

    def close(self, uri):
        del self.texts[uri]
        self.tell("textDocument/didClose", {"textDocument": {"uri": uri}})

    def checked(self, uri):
        """The diagnostics of the text as it stands."""
        while self.diagnostics.get(uri, (None, None))[0] != self.texts[uri][0]:
            message = self.read()
            assert self.take(message), message
        return self.diagnostics[uri][1]

    # --- positions: lines end with \n, \r\n or \r; characters are UTF-16 units, or bytes -----------------------------------------------

    def units(self, text):
        return len(text.encode("utf-8")) if self.utf8 else len(text.encode("utf-16-le")) // 2

    def position(self, text, index):
        before = text[:index]
        if text[index - 1 : index + 1] == "\r\n":
            before = text[: index - 1]
        lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return {"line": len(lines) - 1, "character": self.units(lines[-1])}

    def index(self, text, position):
        line, at = 0, 0
        while line < position["line"]:
            ends = [i for i in (text.find("\n", at), text.find("\r", at)) if i >= 0]
            at = min(ends) + (2 if text[min(ends) : min(ends) + 2] == "\r\n" else 1)
            line += 1
        units = 0
        while units < position["character"]:
            units += self.units(text[at])
            at += 1
        return at

    def span(self, text, place):
        return text[self.index(text, place["start"]) : self.index(text, place["end"])]

    def apply(self, text, edits):
        for edit in sorted(edits, key=lambda e: (e["range"]["start"]["line"], e["range"]["start"]["character"]), reverse=True):
            start, end = self.index(text, edit["range"]["start"]), self.index(text, edit["range"]["end"])
            text = text[:start] + edit["newText"] + text[end:]
        return text
