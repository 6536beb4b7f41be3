"""API aggregation: groups that other servers serve, announced by APIService objects.

::

    backends    an APIService as a value: whom it names, what it trusts
    locals      the APIServices of the groups that this server serves itself
    connections HTTPS to backends: where they are, whom to trust
    probing     is a backend there, and which resources does it have
    forwarding  one request to a backend and its answer back, with the user's identity in headers
    aggregator  keeps all of it in step: objects -> probes -> status, catalogue, discovery

A backend authenticates this server by its front-proxy certificate, whose authority (not the cluster's) stands in the
ConfigMap ``kube-system/extension-apiserver-authentication``, and then believes the ``X-Remote-*`` headers. Resources of
available backends stand in the catalogue like any others, so discovery shows them; their OpenAPI documents are not
merged, and connections are not upgraded (exec and the like through a backend).
"""
