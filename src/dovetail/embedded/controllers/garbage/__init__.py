"""Garbage collection: objects whose owners are gone go, too.

    graph        who owns whom, by uid: filled by informers, pure
    verdict      what to do with one object, given the state of its owners: pure
    collector    asks the API to be sure, then carries the verdict out
    monitors     one metadata-only informer for every resource that discovery names, new CRDs included

An owner is the object with its uid, never merely one of its name. An owner that the graph does not know is asked for
at the API before anything is deleted for its absence, so a graph that is behind can delay, not destroy.

Source of the rules: the Kubernetes documentation, "Garbage Collection" and "Owners and Dependents".
"""

from dovetail.embedded.controllers.garbage.monitors import collect_garbage

__all__ = ["collect_garbage"]
