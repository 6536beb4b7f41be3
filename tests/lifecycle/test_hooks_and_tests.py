"""Hooks and Helm tests run with a deadline, and what they wrote is there when they are gone."""

from pathlib import Path
from typing import Any

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.helm import storage
from dovetail.kube import CONFIGMAPS, JOBS, SECRETS, Client, NotFound
from dovetail.lifecycle.hook_logs import BLACKENED, MAX_LOG, Log, blackened, secrets_of, tail_of
from dovetail.lifecycle.rendered import Rendered
from tests.conftest import KubeApi
from tests.lifecycle.kubelet import Script, node
from tests.lifecycle.platform import controllers, package, plan, publish, until, until_gone, until_settled

HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: "hook-succeeded,hook-failed"}
spec:
  template: {spec: {restartPolicy: Never, containers: [{name: tool, image: images.test/tool}]}}
"""
TEST = """\
apiVersion: v1
kind: Pod
metadata:
  name: smoke
  annotations: {helm.sh/hook: test}
spec: {restartPolicy: Never, containers: [{name: probe, image: images.test/probe}]}
"""
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: access}
stringData: {key: {{ .Values.database.password | quote }}}
"""


async def condition(client: Client, name: str, type: str) -> dict[str, Any]:
    obj = await client.get(INSTALLPLANS, name)
    return next((one for one in obj.get("status", {}).get("conditions", []) if one["type"] == type), {})


async def kept_logs(client: Client, name: str) -> dict[str, str]:
    try:
        return (await client.get(CONFIGMAPS, f"hook-logs-{name}", "kubesphere-system"))["data"]
    except NotFound:
        return {}


async def test_what_a_hook_wrote_outlives_it(platform_crds: KubeApi, tmp_path: Path) -> None:
    migrate = Script(
        ["migrating 3 tables", "as user with hunter2-of-the-db", "table orders: no such column"], succeed=False
    )
    async with (
        node(platform_crds, tmp_path, "extension-migrant", migrate=migrate) as kubelet,
        controllers(kubelet.kubeconfig),
    ):
        client = kubelet.client
        content = package("migrant", "1.0.0", templates__hook_yaml=HOOK, templates__secret_yaml=SECRET)
        await publish(client, "migrant", "1.0.0", content)
        await plan(client, "migrant", "1.0.0", config="database: {password: hunter2-of-the-db}\n")
        told = await until(
            lambda: condition(client, "migrant", "Installed"), lambda found: "orders" in str(found), "the hook's words"
        )
        assert "the last lines of Job migrate" in told["message"]
        assert "table orders: no such column" in told["message"]
        assert "ConfigMap kubesphere-system/hook-logs-migrant" in told["message"]
        written = await kept_logs(client, "migrant")
        (text,) = written.values()
        assert "migrating 3 tables" in text
        assert BLACKENED in text
        assert "hunter2" not in str(written) + str(told)
        await until_gone(client, JOBS, "migrate", "extension-migrant")

        kubelet.scripts["migrate"] = Script(["all is well"])
        await until_settled(client, "migrant", "1.0.0")  # the next attempt
        assert "all is well" in str(await kept_logs(client, "migrant"))
        await client.delete(INSTALLPLANS, "migrant")
        await until_gone(client, INSTALLPLANS, "migrant")
        assert not await kept_logs(client, "migrant"), "it goes with the extension"


async def test_a_hook_has_a_deadline(platform_crds: KubeApi, tmp_path: Path) -> None:
    async with (
        node(platform_crds, tmp_path, "extension-endless", migrate=Script(["still here"], hang=True)) as kubelet,
        controllers(kubelet.kubeconfig),
    ):
        client = kubelet.client
        await publish(client, "endless", "1.0.0", package("endless", "1.0.0", templates__hook_yaml=HOOK))
        await plan(client, "endless", "1.0.0", hookTimeout="1s")
        told = await until(
            lambda: condition(client, "endless", "Installed"), lambda found: "did not end" in str(found), "the deadline"
        )
        assert "Job migrate did not end within 1 s" in told["message"]
        assert "still here" in told["message"]
        await client.delete(INSTALLPLANS, "endless")
        await until_gone(client, INSTALLPLANS, "endless")


async def revisions(client: Client, name: str) -> dict[int, tuple[str, str]]:
    found = await client.list(SECRETS, f"extension-{name}", label_selector=f"owner=helm,name={name}")
    records = [record for secret in found.items if (record := storage.record_of(secret))]
    return {record.revision: (record.status, record.labels["dovetail.dev/target"]) for record in records}


async def test_helm_tests_decide_about_an_upgrade(platform_crds: KubeApi, tmp_path: Path) -> None:
    async with (
        node(platform_crds, tmp_path, "extension-tried", smoke=Script(["200 OK"])) as kubelet,
        controllers(kubelet.kubeconfig),
    ):
        client = kubelet.client
        for version in ("1.0.0", "1.1.0"):
            await publish(client, "tried", version, package("tried", version, templates__test_yaml=TEST))
        tests = {"enabled": True, "onFailure": "Fail"}
        await plan(client, "tried", "1.0.0", tests=tests)
        obj = await until_settled(client, "tried", "1.0.0")
        assert (await condition(client, "tried", "Tested"))["status"] == "True"
        assert "200 OK" in str(await kept_logs(client, "tried"))
        target = obj["status"]["operation"]["target"]
        assert await revisions(client, "tried") == {1: ("deployed", target)}

        kubelet.scripts["smoke"] = Script(["503 Service Unavailable"], succeed=False)
        await plan(client, "tried", "1.1.0", tests=tests, retry={"limit": 1})
        await until_settled(client, "tried", "1.0.0", state="UpgradeFailed")
        told = await condition(client, "tried", "Tested")
        assert told["status"] == "False"
        assert "503 Service Unavailable" in told["message"]
        assert (await revisions(client, "tried"))[2][0] == "failed"

        await plan(client, "tried", "1.1.0", tests={"enabled": True, "onFailure": "Ignore"}, retry={"limit": 1})
        await until_settled(client, "tried", "1.1.0")
        told = await condition(client, "tried", "Tested")
        assert told["status"] == "False"
        assert "503 Service Unavailable" in told["message"]
        await client.delete(INSTALLPLANS, "tried")
        await until_gone(client, INSTALLPLANS, "tried")


def rendered(kind: str, **fields: Any) -> Rendered:
    return Rendered({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, **fields})


def test_what_is_secret_in_a_log() -> None:
    objects = [
        rendered("Secret", stringData={"a": "plain-one"}, data={"b": "cGxhaW4tdHdv", "c": "no base64!", "d": "aQ=="})
    ]
    values = {
        "db": {"dbPassword": "from-values", "host": "db.test"},
        "apiKeys": [{"id": "key-id"}],
        "tokens": ["t-o-k-e-n"],
    }
    secrets = secrets_of([*objects, rendered("ConfigMap", data={"k": "shown"})], values)
    assert secrets == {"plain-one", "plain-two", "from-values", "key-id", "t-o-k-e-n"}
    text = "plain-one cGxhaW4tdHdv from-values at db.test, shown"
    assert blackened(text, secrets) == f"{BLACKENED} {BLACKENED} {BLACKENED} at db.test, shown"


def test_the_tail_of_the_hook_that_failed() -> None:
    first = Log("Job", "a", "a-1", "c", "one\ntwo\n")
    second = Log("Job", "b", "b-1", "c", "\n".join(map(str, range(20))))
    assert tail_of([first, second], "Job", "a") == "one\ntwo"
    assert tail_of([first, second], "Job", "b") == "15\n16\n17\n18\n19"
    assert tail_of([], "Job", "a") == ""
    assert tail_of([Log("Job", "a", "a-1", "c", "x" * MAX_LOG)], "Job", "a") == "x" * 600


def test_what_a_hook_wrote_gives_no_terminal_orders() -> None:
    (told,) = {tail_of([Log("Job", "a", "p", "c", "failed\x1b[2K\x1b]0;title\x07\u202e\nreally\n")])}
    assert told == "failed\\x1b[2K\\x1b]0;title\\x07\\u202e\nreally"
