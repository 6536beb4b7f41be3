"""An aggregated API server for tests: a process of its own that trusts only the front-proxy certificate.

It reads what it needs from files in its folder: ``tls.crt``/``tls.key`` (its own), ``front.crt`` (whom it trusts).
Serves ``/apis/sums.example.dev/v1``: discovery and namespaced ``sums``, whose every object tells who asked for it.
"""

import json
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BASE = "/apis/sums.example.dev/v1"
RESOURCES = {
    "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "sums.example.dev/v1",
    "resources": [
        {"name": "sums", "singularName": "sum", "namespaced": True, "kind": "Sum", "verbs": ["get", "list"],
         "shortNames": ["su"]},
        {"name": "sums/parts", "singularName": "", "namespaced": True, "kind": "Sum", "verbs": ["get"]},
    ],
}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == BASE:
            self._send(200, RESOURCES)
        elif path.startswith(f"{BASE}/namespaces/"):
            self._send(200, self._object(path.rpartition("/")[2]))
        else:
            self._send(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})

    def _object(self, name: str) -> Any:
        seen = {k.lower(): self.headers.get_all(k) for k in set(self.headers.keys())}
        return {
            "kind": "Sum", "apiVersion": "sums.example.dev/v1", "metadata": {"name": name}, "path": self.path,
            "peer": str(self.connection.getpeercert()), "headers": seen,
        }  # fmt: skip

    def _send(self, code: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:9])  # answers come in pieces, as from any server behind a network
        time.sleep(0.05)
        self.wfile.write(data[9:])

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def main(folder: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    context.load_verify_locations(folder / "front.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
