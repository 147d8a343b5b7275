"""A web server on this machine's loopback, and a small file that is published there."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rsforge.models.published_weights import VGG16, PublishedWeights

CONTENT = bytes(range(256)) * 10_000
"""What is published: 2.4 MiB."""
PUBLISHED = replace(VGG16, size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())


class Handler(BaseHTTPRequestHandler):
    """``/whole`` is the file; the other paths are what goes wrong with it."""

    def do_GET(self) -> None:
        name = self.path.strip("/")
        self.server.asked.append(name)
        if name in ("moved", "to-a-file"):
            self.send_response(302)
            self.send_header("Location", "/whole" if name == "moved" else "file:///etc/hostname")
            self.end_headers()
            return
        body = {"short": CONTENT[:-1], "long": CONTENT + b"x", "other": b"x" + CONTENT[1:]}.get(name, CONTENT)
        self.send_response(404 if name == "absent" else 200)
        length = len(CONTENT) if name == "broken-off" else len(body)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if name == "silent":
            self.server.closing.wait(5)
            return
        with suppress(ConnectionError):  # who has seen enough goes away
            self.wfile.write(CONTENT[:1000] if name == "broken-off" else body)

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def serve() -> Iterator[ThreadingHTTPServer]:
    """The server while the block runs; ``asked`` are the paths that were asked for, ``url`` begins its addresses."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.closing = [], threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


def publish(weights: PublishedWeights = PUBLISHED) -> dict[str, PublishedWeights]:
    return {weights.name: weights}
