"""The data plane: an HTTP/1.1 proxy that serves one snapshot at a time.

From the outside in: `worker` is the process; `downstream` a client's connection, which parses requests and serves them
one after the other; `admission` decides what becomes of a request (pure); `exchange` carries one request and its answer
between a client and a backend; `upstream` is a connection to a backend, `pool` keeps them; `serving` is everything a
snapshot means, made ready for lookups; `following` gets snapshots from control.

Both sides are parsed strictly (llhttp without leniency) and written anew: no byte of framing is passed through. It
speaks HTTP/1.1 and 1.0; HTTP/2 is left to an ingress in front. Trailers go on where they can do no harm (`trailers`).
"""

from dovetail.gateway.proxy.settings import Limits, WorkerSettings
from dovetail.gateway.proxy.worker import serve

__all__ = ["Limits", "WorkerSettings", "serve"]
