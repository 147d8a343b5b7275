"""A model hub on loopback that speaks the calls of huggingface_hub, as far as downloads and uploads need them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

COMMIT = "c0ffee" + "0" * 34
REQUEST = "refs%2Fpr%2F3"  # as the library writes refs/pr/3 into an address


class Handler(BaseHTTPRequestHandler):
    """One repository, ``server.name``, with the files of ``server.folder``."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        self.server.asked.append(f"POST {path}")
        if path in self.server.broken:
            self._send(b'{"error": "not today"}', status=403)
        elif path == "/api/repos/create":
            asked = json.loads(sent)
            self.server.created.append(asked)
            owner = asked["organization"] or "me"
            self._send(json.dumps({"url": f"{self.server.url}/{owner}/{asked['name']}"}).encode())
        elif path == "/api/validate-yaml":
            self._send(b'{"errors": [], "warnings": []}')
        elif "/preupload/" in path:
            rows = [
                {"path": file["path"], "shouldIgnore": False,
                 "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular"}
                for file in json.loads(sent)["files"]
            ]  # fmt: skip
            self._send(json.dumps({"files": rows}).encode())
        elif path.endswith("/info/lfs/objects/batch"):
            self._send(json.dumps({"transfer": "basic", "objects": self._offer(json.loads(sent)["objects"])}).encode())
        elif "/commit/" in path:
            self.server.commits.append(self._read_commit(sent))
            url = f"{self.server.url}/{path.split('/models/')[1].split('/commit/')[0]}/commit/{COMMIT}"
            self._send(json.dumps({"success": True, "commitOid": COMMIT, "commitUrl": url}).encode())
        else:
            self._send(b"{}", status=404)

    def do_PUT(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.blobs[self.path.rsplit("/", 1)[-1]] = sent
        self.server.asked.append(f"PUT {self.path}")
        self._send(b"")

    def _offer(self, objects: list[dict]) -> list[dict]:
        """Where to put what has not arrived yet."""
        return [
            {**one, "actions": {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}}
            if one["oid"] not in self.server.blobs else one
            for one in objects
        ]  # fmt: skip

    def _read_commit(self, sent: bytes) -> dict[str, bytes]:
        rows = [json.loads(line) for line in sent.splitlines()]
        files = {r["value"]["path"]: base64.b64decode(r["value"]["content"]) for r in rows if r["key"] == "file"}
        return files | {r["value"]["path"]: self.server.blobs[r["value"]["oid"]] for r in rows if r["key"] == "lfsFile"}

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(f"{self.command} {path}")
        name, api = self.server.name, f"/api/models/{self.server.name}"
        files = {p.relative_to(self.server.folder).as_posix(): p for p in self.server.folder.rglob("*") if p.is_file()}
        if path in [f"{api}/revision/{revision}" for revision in ("main", REQUEST, COMMIT)]:
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

    def _send(
        self, content: bytes, *, body: bool = True, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
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
    """The hub while the block runs; ``asked`` are its calls, what is named in ``broken`` fails."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.name, server.folder, server.asked, server.broken = name, folder, [], set()
        server.created, server.blobs, server.commits = [], {}, []
        server.daemon_threads = True
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
