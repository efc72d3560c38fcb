"""A web server of the tests' own: real sockets, HTTP/1.1 with keep-alive, behaviour that a test sets while it runs.

What it does with a request is decided by `answer(request)`, which returns an Answer; every request that was read whole is kept in `requests`. It can be stopped and started
again on its port, stall, close in the middle of an answer, and speak TLS with a certificate of the test's own authority.
"""

import http.server
import json
import socket
import socketserver
import ssl
import threading
import time

from evs import free_port


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.at = time.monotonic()

    @property
    def id(self):
        return self.headers["webhook-id"]

    @property
    def json(self):
        return json.loads(self.body)


class Answer:
    def __init__(self, status=200, body=b"{}", headers=(), cut=None, stall=None):
        """`status` None: not a word, the connection is closed; `cut`: so many bytes of the body, then the same; `stall`: an event that is waited for before
        anything is said."""
        self.status, self.body, self.headers, self.cut, self.stall = status, body, dict(headers), cut, stall


class Receiver:
    def __init__(self, answer=None, tls=None, host="127.0.0.1"):
        self.answer = answer or (lambda request: Answer())
        self.tls = tls
        self.host, self.port = host, free_port()  # it keeps it while it is stopped
        self.requests, self.lock = [], threading.Lock()
        self.under_way = self.most_under_way = self.connections = 0
        self.sockets = set()
        self.start()

    def start(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.serve(self, Request(self.command, self.path, self.headers, body))

            do_POST = do_PUT = do_PATCH = handle_any

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            address_family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 512

            def get_request(self):
                link, address = super().get_request()
                with outer.lock:
                    outer.connections += 1
                    outer.sockets.add(link)
                return link, address

            def shutdown_request(self, request):
                with outer.lock:
                    outer.sockets.discard(request)
                super().shutdown_request(request)

            def handle_error(self, *_):
                pass  # a client that goes away is part of the tests

        self.server = Server((self.host, self.port), Handler)
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def stop(self):
        """As a process that is killed: nobody listens, connections are gone."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        with self.lock:
            for link in self.sockets:
                try:
                    link.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.sockets.clear()

    def serve(self, handler, request):
        with self.lock:
            self.requests.append(request)
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            answer = self.answer(request)
            if answer.stall:
                answer.stall.wait(30)
            if answer.status is None:
                handler.close_connection = True
                return
            handler.send_response(answer.status)
            handler.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(answer.body if answer.cut is None else answer.body[:answer.cut])
            if answer.cut is not None:
                handler.close_connection = True
        except OSError:
            pass
        finally:
            with self.lock:
                self.under_way -= 1

    def taken(self):
        """A copy: more may come."""
        with self.lock:
            return list(self.requests)

    def url(self, path="/"):
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}{path}"
