"""A model hub on loopback that speaks the calls of huggingface_hub, as far as downloads need them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

COMMIT = "c0ffee" + "0" * 34


class Handler(BaseHTTPRequestHandler):
    """One repository, ``server.name``, with the files of ``server.folder``."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(f"{self.command} {path}")
        name, api = self.server.name, f"/api/models/{self.server.name}"
        files = {p.relative_to(self.server.folder).as_posix(): p for p in self.server.folder.rglob("*") if p.is_file()}
        if path in (f"{api}/revision/main", f"{api}/revision/{COMMIT}"):
            rows = [{"rfilename": file} for file in files]
            self._send(json.dumps({"id": name, "modelId": name, "sha": COMMIT, "siblings": rows}).encode(), body=body)
        elif path == f"{api}/tree/{COMMIT}":
            rows = [
                {"type": "file", "path": file, "size": p.stat().st_size, "oid": _digest(p)} for file, p in files.items()
            ]
            self._send(json.dumps(rows).encode(), body=body)
        elif path.startswith(f"/{name}/resolve/{COMMIT}/"):
            file = files.get(path.removeprefix(f"/{name}/resolve/{COMMIT}/"))
            broken = file is not None and file.name in self.server.broken and body
            if file is None or broken:
                self._send(b"", status=500 if broken else 404, body=body)
            else:
                self._send(
                    file.read_bytes(), body=body, headers={"ETag": f'"{_digest(file)}"', "X-Repo-Commit": COMMIT}
                )
        else:
            self._send(b"{}", status=404, body=body, headers={"X-Error-Code": "RepoNotFound"})

    def _send(self, content: bytes, *, body: bool, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(content if body else b"")

    def log_message(self, *words: object) -> None:
        pass


def _digest(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


@contextmanager
def serve_hub(name: str, folder: Path) -> Iterator[ThreadingHTTPServer]:
    """The hub while the block runs; ``asked`` are its calls, files named in ``broken`` cannot be fetched."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.name, server.folder, server.asked, server.broken = name, folder, [], set()
        server.daemon_threads = True
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
