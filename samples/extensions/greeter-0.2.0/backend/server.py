#!/usr/bin/env python3
"""The backend of the greeter: a few lines of standard library.

    GET /kapis/greeter.dovetail.dev/v1alpha1/greetings    greets the user that the gateway names in X-Remote-User
    GET /public/hello/NAME                                greets anybody
    GET /healthz                                          ok

A backend of an extension never sees a token: the gateway has checked it, removed it, and tells who is calling. The
answer's `received` shows that: the names of the headers that arrived, and whether Authorization was among them.
"""

import argparse
import json
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

VERSION = "0.2.0"
API = "/kapis/greeter.dovetail.dev/v1alpha1"


def greetings(user: str) -> list[str]:
    """What this version says to a user."""
    return [f"Good to see you, {user}!", f"Dovetail greets you, {user}."]


def status(code: int, reason: str, message: str) -> dict[str, object]:
    """An error as Kubernetes clients expect it."""
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    }  # fmt: skip


class Greeter(BaseHTTPRequestHandler):
    """One connection from the gateway."""

    protocol_version = "HTTP/1.1"
    server_version = f"greeter/{VERSION}"
    timeout = 120

    def do_GET(self) -> None:
        """Answer a GET."""
        path = urlsplit(self.path).path
        if path == "/healthz":
            self.answer(200, {"status": "ok", "version": VERSION})
        elif path == f"{API}/greetings":
            self.greet()
        elif path.startswith("/public/hello/") and len(path) > len("/public/hello/"):
            name = unquote(path.removeprefix("/public/hello/"))
            self.answer(200, {"message": f"Good to see you, {name}!", "path": self.path, "version": VERSION})
        else:
            self.answer(404, status(404, "NotFound", f"there is nothing at {path}"))

    def greet(self) -> None:
        """The list of greetings for the user that the gateway names."""
        user = self.headers.get("X-Remote-User", "")
        if not user:
            self.answer(401, status(401, "Unauthorized", "the gateway names no user; call through the gateway"))
            return
        body = {
            "kind": "GreetingList",
            "apiVersion": "greeter.dovetail.dev/v1alpha1",
            "metadata": {},
            "version": VERSION,
            "user": user,
            "groups": self.headers.get_all("X-Remote-Group", []),
            "items": [{"message": message} for message in greetings(user)],
            "received": {
                "authorization": "Authorization" in self.headers,
                "headers": sorted({name.lower() for name in self.headers}),
            },
        }
        self.answer(200, body)

    def answer(self, code: int, body: dict[str, object]) -> None:
        """Send JSON."""
        data = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: the gateway writes the access log."""


def main() -> None:
    """Serve until a signal."""
    options = argparse.ArgumentParser(description="The backend of the greeter extension.")
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8080, help="0 takes a free port")
    chosen = options.parse_args()
    server = ThreadingHTTPServer((chosen.host, chosen.port), Greeter)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"greeter {VERSION} listens on http://{chosen.host}:{server.server_address[1]}", flush=True)
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
