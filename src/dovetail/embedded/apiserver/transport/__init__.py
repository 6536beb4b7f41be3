"""HTTP/1.1 over TLS: bytes to requests, replies to bytes. Knows nothing of Kubernetes.

::

    listener     the socket, TLS, the sweep that ends idle and stuck connections, a clean stop
    connection   one client: parsing (llhttp), one request after the other, the reply, back-pressure
    outlets      a body that grows: chunks, or the messages of a WebSocket
    messages     what passes between here and the application

A web framework's protocol class was measured first: a request through it costs more than half of what a GET costs here
altogether, and it has no place for a body that is pushed (watches), for WebSockets without a handler of their own, or
for giving up on a reader that does not read.
"""

from .listener import Listener, PrivateListener, tls_context
from .messages import Flow, Outlet, Peer, Reply, Request

__all__ = ["Flow", "Listener", "Outlet", "Peer", "PrivateListener", "Reply", "Request", "tls_context"]
