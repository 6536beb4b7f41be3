"""console: the web page, its boot data, live updates, and the bundles of the extensions.

`bundles` keeps the front ends of all enabled extensions ready to be sent; `boot` tells the page which those are;
`changes` tells open pages that something is different; `static` sends the page itself. `app` puts them behind HTTP and
`server` runs it on a Unix socket that only the gateway can reach: the gateway has authenticated whoever is named in
`X-Remote-User`, so this room decides nothing about users and asks the Kubernetes API for no one's data but its own.

    settings = ConsoleSettings(socket_path=Path("run/console.sock"), kubeconfig=Path("kubeconfigs/console.yaml"))
    await serve(settings, on_ready)
"""

from dovetail.console.server import serve
from dovetail.console.settings import ConsoleSettings

__all__ = ["ConsoleSettings", "serve"]
