"""From Services and endpoints to addresses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.apis.dialects import ServiceRef
from dovetail.routing.addresses import resolve
from dovetail.routing.model import Address

HTTP = {"name": "http", "port": 80, "targetPort": 8080}
HTTPS = {"name": "https", "port": 8443, "targetPort": "tls"}


def service(*ports, **spec):
    return {
        "metadata": {"namespace": "n", "name": "s"},
        "spec": {"clusterIP": "10.0.0.9", "ports": list(ports), **spec},
    }


def piece(*addresses, ports=({"name": "http", "port": 8080},), **conditions):
    endpoints = [{"addresses": [address], "conditions": conditions} for address in addresses]
    return {"addressType": "IPv4", "ports": list(ports), "endpoints": endpoints}


def test_ready_endpoints_are_dialled():
    slices = [piece("10.1.0.1", "10.1.0.2", ready=True), piece("10.1.0.3", ready=False), piece("10.1.0.1")]
    found = resolve(ServiceRef("n", "s", 80), service(HTTP), slices=slices)
    assert found.addresses == (Address("10.1.0.1", 8080), Address("10.1.0.2", 8080))
    assert (found.port, found.https, found.reason) == (80, False, "")


def test_ports_by_name_and_https():
    slices = [piece("10.1.0.1", ports=({"name": "http", "port": 8080}, {"name": "https", "port": 9443}))]
    found = resolve(ServiceRef("n", "s", "https"), service(HTTP, HTTPS), slices=slices)
    assert (found.addresses, found.port, found.https) == ((Address("10.1.0.1", 9443),), 8443, True)


def test_app_protocol_https():
    port = {"name": "web", "port": 9000, "appProtocol": "https"}
    assert resolve(ServiceRef("n", "s", 9000), service(port), slices=None).https


@pytest.mark.parametrize(
    ("ports", "number"), [([HTTP], 80), ([HTTP, {"name": "tls", "port": 443}], 443), ([HTTP, HTTPS], None)]
)
def test_without_a_port_it_is_443_or_the_only_one(ports, number):
    found = resolve(ServiceRef("n", "s"), service(*ports), slices=None)
    assert (found.port if found.addresses else None) == number
    assert (found.reason == "PortNotFound") == (number is None)


def test_endpoints_objects_count_too():
    subsets = [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"name": "http", "port": 9000}]}]
    found = resolve(ServiceRef("n", "s", 80), service(HTTP), slices=[], endpoints={"subsets": subsets})
    assert found.addresses == (Address("127.0.0.1", 9000),)


def test_nowhere():
    ref = ServiceRef("n", "s", 80)
    assert resolve(ref, None, slices=[]).reason == "ServiceNotFound"
    assert resolve(ref, service(HTTP), slices=[]).reason == "MissingEndpoints"
    assert resolve(ref, service(HTTPS), slices=[piece("10.1.0.1")]).reason == "PortNotFound"


def test_where_nobody_watches_endpoints():
    ref = ServiceRef("n", "s", 80)
    assert resolve(ref, service(HTTP), slices=None).addresses == (Address("10.0.0.9", 80),)
    assert resolve(ref, service(HTTP, clusterIP="None"), slices=None).addresses == (Address("s.n.svc", 80),)


def test_external_name():
    obj = service(type="ExternalName", externalName="api.example.org.")
    assert resolve(ServiceRef("n", "s", 443), obj, slices=[]).addresses == (Address("api.example.org", 443),)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["spec", "ports", "port", "name", "endpoints", "addresses", "conditions", "ready", "subsets",
                         "ip", "clusterIP", "type", "targetPort", "addressType"]),
        inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip
OBJECT = st.dictionaries(st.sampled_from(["spec", "ports", "endpoints", "subsets", "addressType"]), JSON, max_size=4)


@settings(max_examples=80, deadline=None)
@given(service=OBJECT, slices=st.lists(OBJECT, max_size=2), endpoints=OBJECT, port=st.sampled_from([0, 80, "http"]))
def test_hostile_objects_resolve_or_lead_nowhere(service, slices, endpoints, port):
    found = resolve(ServiceRef("n", "s", port), service, slices=slices, endpoints=endpoints)
    assert bool(found.addresses) != bool(found.reason)
