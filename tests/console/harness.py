"""A console to point a browser at: the real application on a TCP port, with a stand-in for what is outside this room.

The stand-in plays the gateway (a session cookie becomes X-Remote-User), the OAuth session endpoint and the catalogue's
objects. Bundles are put straight into the real store.
"""

import base64
import hashlib
import json
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from dovetail.apis.dialects import ExtensionEntry, extension_entry
from dovetail.console.app import create_app
from dovetail.console.boot import bundles_token, extensions_of
from dovetail.console.bundles.model import BundleId, Outcome
from dovetail.console.bundles.planning import plan_of
from dovetail.console.bundles.resolving import serve_part
from dovetail.console.bundles.store import BundleStore
from dovetail.console.changes import Changes
from dovetail.console.settings import STATIC, ConsoleSettings

PASSWORD = "correct horse"
EXTENSIONS_GROUP = "extensions.kubesphere.io"


def js_bundle(
    name: str, code: str, *, labels: dict[str, str] | None = None, state: str = "Available"
) -> dict[str, Any]:
    """A JSBundle object with its code in place."""
    return {
        "apiVersion": f"{EXTENSIONS_GROUP}/v1alpha1",
        "kind": "JSBundle",
        "metadata": {"name": name, "labels": labels or {"kubesphere.io/extension-ref": name}, "resourceVersion": "1"},
        "spec": {"raw": base64.b64encode(code.encode()).decode()},
        "status": {"state": state},
    }


def side_effect_bundle(name: str, title: str, text: str, *, dependencies: tuple[str, ...] = ("react",)) -> str:
    """The older form: registers by calling globals.context.registerExtension."""
    return _bundle(name, title, f"React.default.createElement('h1', {{id: 'hello'}}, {json.dumps(text)})", dependencies,
                   "globals.context.registerExtension(config)")  # fmt: skip


def default_export_bundle(name: str, title: str, text: str) -> str:
    """The newer form, at its most roundabout: a function that returns a promise of the configuration."""
    return _bundle(name, title, f"React.default.createElement('h1', {{id: 'hello'}}, {json.dumps(text)})", ("react",),
                   "e('default', function () { return Promise.resolve(config) })")  # fmt: skip


def crashing_bundle(name: str, title: str) -> str:
    """Loads well and throws when its page is rendered."""
    crash = "React.default.createElement(function Crash() { throw new Error('the page fell over') })"
    return _bundle(name, title, crash, ("react",), "globals.context.registerExtension(config)")


def _bundle(name: str, title: str, element: str, dependencies: tuple[str, ...], register: str) -> str:
    setters = ", ".join(f"function (m) {{ modules[{number}] = m }}" for number in range(len(dependencies)))
    return f"""System.register({json.dumps(dependencies)}, function (e, context) {{
  var modules = [];
  return {{
    setters: [{setters}],
    execute: function () {{
      var React = modules[0];
      var config = {{
        routes: [{{ path: '/{name}', element: {element} }}],
        menus: [{{ parent: 'global', name: '{name}', title: {json.dumps(title)}, icon: 'no-such-icon', order: 0 }}],
        locales: {{ en: {{ {json.dumps(title)}: {json.dumps(title.title())} }}, zh: {{}} }}
      }};
      {register};
    }}
  }};
}});"""


@dataclass
class Catalogue:
    """Objects of kubesphere.io/v1alpha1 by plural and name; plans reach `Installed` at once."""

    objects: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict[str, dict[str, dict[str, Any]]])
    forbidden: bool = False

    def handle(self, method: str, plural: str, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        kept = self.objects.setdefault(plural, {})
        if self.forbidden:
            return 403, {"kind": "Status", "reason": "Forbidden", "message": "not allowed", "code": 403}
        if method == "GET":
            return 200, {"items": list(kept.values())}
        if method == "POST":
            name = body["metadata"]["name"]
            kept[name] = body | {"status": {"state": "Installed", "version": body["spec"]["extension"]["version"]}}
            return 201, kept[name]
        if method == "PATCH":
            spec = kept[name]["spec"]
            spec |= {key: value for key, value in body["spec"].items() if key != "extension"}
            spec["extension"] |= body["spec"].get("extension", {})
            kept[name]["status"]["version"] = spec["extension"]["version"]
            return 200, kept[name]
        kept.pop(name, None)
        return 200, {}


class Harness:
    """See the module. Use as a context manager; `url` is where it listens."""

    def __init__(self, static_dir: Path = STATIC) -> None:
        self.catalogue = Catalogue()
        self.entries: list[ExtensionEntry] = []
        self.changes = Changes("test")
        self.store = BundleStore(self._announce)
        settings = ConsoleSettings(socket_path=Path("unused"), static_dir=static_dir)
        self._app = create_app(settings, self.store, self.changes, self._extensions)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self._gateway,
            log_config=None,
            lifespan="off",
            ws="none",
            access_log=False,
            timeout_graceful_shutdown=1,
            interface="asgi3",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self.raw: dict[str, bytes | None] = {}
        """Paths answered with these bytes; None never answers."""

    def __enter__(self) -> "Harness":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.changes.close()
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    def add(self, obj: dict[str, Any]) -> None:
        """Serve a JSBundle."""
        plan = plan_of(obj)
        assert isinstance(plan.main.source, bytes)
        self.store.put(Outcome(plan, {plan.main.link: serve_part(plan.main, plan.main.source)}))

    def remove(self, name: str) -> None:
        self.store.remove(BundleId(EXTENSIONS_GROUP, name))

    def add_entry(self, name: str, *entries: dict[str, Any]) -> None:
        """Declare menu entries for an extension."""
        obj = {
            "apiVersion": f"{EXTENSIONS_GROUP}/v1alpha1", "kind": "ExtensionEntry", "spec": {"entries": list(entries)},
            "metadata": {"name": name, "labels": {"kubesphere.io/extension-ref": name}},
        }  # fmt: skip
        self.entries.append(extension_entry(obj))

    def _extensions(self):
        return extensions_of(self.store.served(), self.entries)

    def _announce(self) -> None:
        self.changes.set_bundles(bundles_token(self._extensions()))

    async def _gateway(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = request.url.path
        user = request.cookies.get("session", "")
        if path in self.raw:
            answer = await self._raw_answer(receive, self.raw[path])
        elif path == "/oauth/session":
            answer = await self._session(request)
        elif path.startswith("/apis/kubesphere.io/v1alpha1/") and user:
            answer = await self._object(request)
        else:
            if user:
                scope["headers"] = [*scope["headers"], (b"x-remote-user", user.encode())]
            await self._app(scope, receive, send)
            return
        await answer(scope, receive, send)

    async def _raw_answer(self, receive: Receive, content: bytes | None) -> Response:
        message: Message = {}
        while content is None and message.get("type") != "http.disconnect":
            message = await receive()
        return Response(content, media_type="application/javascript")

    async def _session(self, request: Request) -> Response:
        if request.method == "PUT":
            return Response(status_code=401)
        response = Response(status_code=204)
        if request.method == "DELETE":
            response.delete_cookie("session")
            return response
        body = await request.json()
        if body["password"] != PASSWORD:
            return JSONResponse({"error": "invalid_grant", "error_description": "wrong"}, 400)
        response.set_cookie("session", body["username"], httponly=True, samesite="strict")
        return response

    async def _object(self, request: Request) -> Response:
        _, _, plural, *rest = request.url.path.split("/")[2:]
        body = json.loads(await request.body() or b"{}")
        code, answer = self.catalogue.handle(request.method, plural, rest[0] if rest else "", body)
        if request.method != "GET":
            self.changes.touch_catalogue()
        return JSONResponse(answer, code)


def wrong_integrity(code: bytes) -> str:
    """A well-formed digest of something else."""
    return "sha384-" + base64.b64encode(hashlib.sha384(code + b"!").digest()).decode()
