"""The ledger: however late the cluster's counts arrive, no more is let in than there is; and what objects take."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dovetail.iam.tenancy.ledger import FORGOTTEN, Ledger
from dovetail.iam.tenancy.quotas import Standing
from dovetail.iam.tenancy.usage import usage

NAMESPACES = ("p", "q", "r")


class World:
    """Objects that exist, and what the process has heard of them: counts that lag behind, one queue a namespace."""

    def __init__(self, hard: int) -> None:
        self.hard, self.ledger = Decimal(hard), Ledger()
        self.real = dict.fromkeys(NAMESPACES, Decimal(0))
        self.heard = dict.fromkeys(NAMESPACES, Decimal(0))
        self.news: dict[str, list[Decimal]] = {namespace: [] for namespace in NAMESPACES}

    def create(self, namespace: str, number: int) -> bool:
        used = {"pods": sum(self.heard.values(), Decimal(0))}
        stands = Standing({"pods": self.hard}, used, {})
        if self.ledger.exceeded("w", namespace, stands, {"pods": Decimal(number)}, 0.0):
            return False
        self.real[namespace] += number
        self.news[namespace].append(self.real[namespace])
        return True

    def delete(self, namespace: str, number: int) -> None:
        self.real[namespace] = max(Decimal(0), self.real[namespace] - number)
        self.news[namespace].append(self.real[namespace])

    def hear(self, namespace: str, skip: bool = False) -> None:
        """The next news of a namespace, or the latest (watches may leave out what lies between)."""
        if self.news[namespace]:
            now = self.news[namespace].pop(-1 if skip else 0)
            if skip:
                self.news[namespace].clear()
            self.ledger.counted("w", namespace, {"pods": self.heard[namespace]}, {"pods": now})
            self.heard[namespace] = now

    @property
    def total(self) -> Decimal:
        return sum(self.real.values(), Decimal(0))


events = st.sampled_from(("create", "create", "delete", "hear", "skip"))
steps = st.lists(st.tuples(events, st.sampled_from(NAMESPACES), st.integers(1, 4)), max_size=60)


@given(st.integers(0, 12), steps)
def test_no_more_is_let_in_than_there_is_however_late_the_counts_arrive(
    hard: int, history: list[tuple[str, str, int]]
) -> None:
    world = World(hard)
    for what, namespace, number in history:
        if what == "create":
            world.create(namespace, number)
        elif what == "delete":
            world.delete(namespace, number)
        else:
            world.hear(namespace, skip=what == "skip")
        assert world.total <= hard


@given(st.integers(0, 12), st.lists(st.tuples(st.sampled_from(NAMESPACES), st.integers(1, 4)), max_size=30))
def test_what_fits_is_let_in_when_the_counts_have_arrived(hard: int, history: list[tuple[str, int]]) -> None:
    world = World(hard)
    for namespace, number in history:
        fits = world.total + number <= hard
        assert world.create(namespace, number) == fits
        world.hear(namespace)


def test_what_never_arrives_is_forgotten() -> None:
    ledger, stands = Ledger(), Standing({"pods": Decimal(1)}, {"pods": Decimal(0)}, {})
    one = {"pods": Decimal(1), "services": Decimal(5)}
    assert ledger.exceeded("w", "p", stands, one, 0.0) == []
    assert ledger.exceeded("w", "q", stands, one, FORGOTTEN) == ["pods"]
    assert ledger.exceeded("v", "q", stands, one, FORGOTTEN) == [], "another quota"
    assert ledger.exceeded("w", "q", stands, one, FORGOTTEN + 0.1) == []


def container(cpu: str = "", memory: str = "", **more: Any) -> dict[str, Any]:
    requests = {name: value for name, value in (("cpu", cpu), ("memory", memory)) if value}
    return {"resources": {"requests": requests, "limits": requests}, **more}


def pod(*containers: Any, init: tuple[Any, ...] = (), **spec: Any) -> dict[str, Decimal]:
    return usage("pods", {"spec": {"containers": list(containers), "initContainers": list(init), **spec}})


def test_what_a_pod_takes() -> None:
    two = pod(container("100m", "1Gi"), container("1"))
    assert two["requests.cpu"] == two["cpu"] == two["limits.cpu"] == Decimal("1.1")
    assert two["requests.memory"] == 2**30
    assert two["pods"] == two["count/pods"] == 1
    assert pod(container("1"), init=(container("3"), container("2")))["requests.cpu"] == 3
    sidecar = container("1", restartPolicy="Always")
    assert pod(container("1"), init=(sidecar, container("3")))["requests.cpu"] == 4
    assert pod(container("1"), init=(container("3"), sidecar))["requests.cpu"] == 3
    assert pod(container("1"), init=(sidecar,))["requests.cpu"] == 2
    over = pod(container("1"), overhead={"cpu": "250m", "memory": "1Mi"})
    assert (over["requests.cpu"], over["limits.cpu"], over["requests.memory"]) == (
        Decimal("1.25"),
        Decimal("1.25"),
        2**20,
    )
    assert "limits.memory" not in over
    assert pod(container("1"), resources={"requests": {"cpu": "5"}})["requests.cpu"] == 5
    gpu = {"resources": {"requests": {"example.com/gpu": "2", "hugepages-2Mi": "4Mi"}}}
    assert pod(gpu)["requests.example.com/gpu"] == 2
    assert pod(gpu)["hugepages-2Mi"] == 4 << 20


def test_what_services_and_claims_take() -> None:
    plain = usage("services", {"spec": {"ports": [{}, {}]}})
    assert (plain["services"], plain["services.nodeports"], plain["services.loadbalancers"]) == (1, 0, 0)
    balanced = usage("services", {"spec": {"type": "LoadBalancer", "ports": [{}, {}]}})
    assert (balanced["services.nodeports"], balanced["services.loadbalancers"]) == (2, 1)
    claim = usage(
        "persistentvolumeclaims", {"spec": {"resources": {"requests": {"storage": "1.5"}}, "storageClassName": "fast"}}
    )
    assert claim["requests.storage"] == claim["fast.storageclass.storage.k8s.io/requests.storage"] == 2
    assert claim["fast.storageclass.storage.k8s.io/persistentvolumeclaims"] == 1
    assert usage("configmaps", {}) == {}
