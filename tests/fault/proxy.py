"""A proxy between the engine and a server: cuts connections, holds bytes back, lets them trickle, refuses. It knows no protocol.

Each direction of a connection has a thread of its own, so that an end which does not read holds up nothing but itself.
"""

import socket
import threading
import time


class Proxy:
    def __init__(self, target):
        self.target = target  # () → (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.open = set()
        self.refusing = False
        self.flowing = threading.Event()
        self.flowing.set()
        self.bytes_a_second = 0  # 0: as fast as it goes
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.connect, args=(client,), daemon=True).start()

    def connect(self, client):
        try:
            if self.refusing:
                raise OSError("refused")
            server = socket.create_connection(self.target(), 5)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        with self.lock:
            self.open |= {client, server}
        threading.Thread(target=self.move, args=(client, server), daemon=True).start()
        threading.Thread(target=self.move, args=(server, client), daemon=True).start()

    def move(self, one, other):
        try:
            while data := one.recv(16384 if self.bytes_a_second else 262144):
                self.flowing.wait()
                if self.bytes_a_second:
                    time.sleep(len(data) / self.bytes_a_second)
                other.sendall(data)
        except OSError:
            pass
        self.end(one, other)

    def end(self, *both):
        with self.lock:
            self.open -= set(both)
        for one in both:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def cut(self):
        """Every connection ends, wherever it stands in its protocol."""
        with self.lock:
            ends = tuple(self.open)
        self.end(*ends)
        self.flowing.set()

    def close(self):
        self.listener.close()
        self.cut()
