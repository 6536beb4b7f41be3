#!/usr/bin/env python3
"""The backend of the greeter: a few lines of standard library, and joserfc to check the gateway's word.

    GET /kapis/greeter.dovetail.dev/v1alpha1/greetings    greets the user that the gateway names
    GET /public/hello/NAME                                greets anybody
    GET /healthz                                          ok

A backend of an extension never sees a token: the gateway has checked it, removed it, and tells who is calling. The
answer's `received` shows that: the names of the headers that arrived, and whether Authorization was among them.

With `--trust` (the ConfigMap `dovetail-gateway`, mounted) or `--gateway` (its address) it believes nothing but the
signed X-Dovetail-Assertion; without, whoever reaches it can say who he is in X-Remote-User. With a certificate of its
own it serves TLS, and with `--trust` then takes connections from the gateway only (docs/writing-a-backend.md).
"""

import argparse
import json
import signal
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

VERSION = "0.1.0"
API = "/kapis/greeter.dovetail.dev/v1alpha1"


def greetings(user: str) -> list[str]:
    """What this version says to a user."""
    return [f"Hello, {user}!"]


def status(code: int, reason: str, message: str) -> dict[str, object]:
    """An error as Kubernetes clients expect it."""
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    }  # fmt: skip


class Assertions:
    """Checks who calls, in the gateway's signed word to us. `keys` is a URL, `audience` how the gateway calls us."""

    def __init__(self, issuer: str, keys: str, audience: str) -> None:
        from joserfc import jwt

        self.keys = keys
        self.claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )

    def caller(self, assertion: str) -> dict[str, Any]:
        """The claims: sub, uid, groups, extra. Raises for anything else."""
        from joserfc import jwk, jwt

        with urlopen(self.keys, timeout=5) as answer:  # keep the keys for up to five minutes if you have many users
            token = jwt.decode(assertion, jwk.KeySet.import_key_set(json.load(answer)), algorithms=["ES256"])
        if token.header.get("typ") != "dovetail-assertion+jwt":
            raise ValueError("this is another kind of token")
        self.claims.validate(token.claims)
        return token.claims


class Greeter(BaseHTTPRequestHandler):
    """One connection from the gateway."""

    assertions: Assertions | None = None
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
            self.answer(200, {"message": f"Hello, {name}!", "path": self.path, "version": VERSION})
        else:
            self.answer(404, status(404, "NotFound", f"there is nothing at {path}"))

    def greet(self) -> None:
        """The list of greetings for the user that the gateway names."""
        user, groups = self.caller()
        if not user:
            self.answer(401, status(401, "Unauthorized", "the gateway names no user; call through the gateway"))
            return
        body = {
            "kind": "GreetingList",
            "apiVersion": "greeter.dovetail.dev/v1alpha1",
            "metadata": {},
            "version": VERSION,
            "user": user,
            "groups": groups,
            "items": [{"message": message} for message in greetings(user)],
            "received": {
                "authorization": "Authorization" in self.headers,
                "headers": sorted({name.lower() for name in self.headers}),
            },
        }
        self.answer(200, body)

    def caller(self) -> tuple[str, list[str]]:
        """Who calls, with his groups; nobody when the gateway's word is missing or not good."""
        if self.assertions is None:
            return self.headers.get("X-Remote-User", ""), self.headers.get_all("X-Remote-Group", [])
        try:
            claims = self.assertions.caller(self.headers.get("X-Dovetail-Assertion", ""))
        except Exception as error:  # whatever is wrong with it: nobody calls
            print(f"refused: {error}", flush=True)
            return "", []
        return claims["sub"], claims["groups"]

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
    options.add_argument("--trust", type=Path, help="a directory with the gateway's issuer, jwks.json and ca.crt")
    options.add_argument("--gateway", help="instead of --trust: the gateway's address, such as http://127.0.0.1:30880")
    options.add_argument("--audience", help="how the gateway calls this backend: host:port of its url or Service")
    options.add_argument("--tls-cert", type=Path, help="serve TLS; with --trust only to the gateway")
    options.add_argument("--tls-key", type=Path)
    chosen = options.parse_args()
    server = ThreadingHTTPServer((chosen.host, chosen.port), Greeter)
    audience = chosen.audience or f"{chosen.host}:{server.server_address[1]}"
    if chosen.trust:
        issuer = (chosen.trust / "issuer").read_text()
        Greeter.assertions = Assertions(issuer, (chosen.trust.resolve() / "jwks.json").as_uri(), audience)
    elif chosen.gateway:
        Greeter.assertions = Assertions(chosen.gateway, chosen.gateway + "/oauth/keys", audience)
    if chosen.tls_cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chosen.tls_cert, chosen.tls_key)
        if chosen.trust:
            context.load_verify_locations(chosen.trust / "ca.crt")
            context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    scheme = "https" if chosen.tls_cert else "http"
    print(f"greeter {VERSION} listens on {scheme}://{chosen.host}:{server.server_address[1]}", flush=True)
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
