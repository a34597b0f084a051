"""Receivers of webhooks on this machine: real HTTP over a socket, with the faults that a test asks for."""

import json
import os
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Keeps what came, and answers as `answers` says: a list of answers, the last of which goes on.

    An answer is a status, a status with headers, or one of: reset, silence, drip, half, repeat.
    """

    def __init__(self, *answers, body=b""):
        self.answers, self.body = list(answers) or [200], body
        self.requests = []
        self.lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One small answer is not held back for another.
            disable_nagle_algorithm = True

            def do_POST(self):
                receiver.receive(self)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 256

            def handle_error(self, *_):
                """Connections that break are what is being tested."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def receive(self, handler):
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        with self.lock:
            self.requests.append((dict(handler.headers), body.decode(), handler.client_address, handler.path))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        getattr(self, f"answer_{answer}", self.answer_status)(handler, answer)

    def answer_status(self, handler, answer):
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        handler.send_response(status)
        for name, value in {**headers, "content-length": str(len(self.body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(self.body)

    def answer_reset(self, handler, _):
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(handler.connection.detach())

    def answer_silence(self, handler, _):
        time.sleep(2)
        handler.close_connection = True

    def answer_half(self, handler, _):
        """It accepts, announces a body, and breaks off."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nok")
        handler.wfile.flush()
        self.answer_reset(handler, _)

    def answer_repeat(self, handler, _):
        """Twice: the second answer is to no question."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" * 2)

    def ids(self):
        with self.lock:
            return Counter(headers["webhook-id"] for headers, *_ in self.requests)

    def told(self):
        return [json.loads(body) for _, body, *_ in self.requests]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def receiver(*answers, body=b""):
    found = Receiver(*answers, body=body)
    try:
        yield found
    finally:
        found.close()
