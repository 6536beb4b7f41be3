"""Rows from Flux: installs that work, fail, are tried again, are tested."""

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import CONFIGMAPS, JOBS, NAMESPACES, SERVICEACCOUNTS
from tests.lifecycle.platform import ensure_namespace, make, until_gone
from tests.lifecycle.scenarios.stage import QUICKLY, TEST, WORK, Stage, condition
from tests.lifecycle.scenarios.table import flux


@flux("status-defaults", "a plan that nothing was done about yet has no state and no condition but why it waits")
async def status_defaults(stage: Stage) -> None:
    await stage.offer("1.0.0")
    await stage.plan("1.0.0", paused=True)
    assert await stage.told("Paused", "True")
    obj = await stage.client.get(INSTALLPLANS, stage.name)
    assert not {"state", "version", "releaseName", "history"} & {*obj["status"]}
    assert [one["type"] for one in obj["status"]["conditions"]] == ["Paused"]


@flux("targetnamespace", "the release goes into the namespace that the plan names; one that was there before stays",
      "a plan is the cluster's, so there is no namespace of its own to fall back to")  # fmt: skip
async def targetnamespace(stage: Stage) -> None:
    namespace = f"{stage.name}-target"
    await ensure_namespace(stage.client, namespace)
    await stage.offer("1.0.0")
    await stage.plan("1.0.0", targetNamespace=namespace)
    await stage.installed("1.0.0")
    await stage.client.get(CONFIGMAPS, "settings", namespace)
    await stage.leave()
    await stage.client.get(NAMESPACES, namespace)
    await until_gone(stage.client, SERVICEACCOUNTS, f"helm-executor.{stage.name}", namespace)


@flux("install-create-target-ns", "a namespace that is not there is made, and goes with the extension",
      "always, without asking for it")  # fmt: skip
async def install_create_target_ns(stage: Stage) -> None:
    namespace = f"{stage.name}-new"
    await stage.offer("1.0.0")
    await stage.plan("1.0.0", targetNamespace=namespace)
    await stage.installed("1.0.0")
    await stage.client.get(CONFIGMAPS, "settings", namespace)
    await stage.leave()
    await until_gone(stage.client, NAMESPACES, namespace)


@flux("install-fail", "an install that fails is told with Helm's words, and what it made stays to be looked at")
async def install_fail(stage: Stage) -> None:
    await stage.offer("1.0.0", templates__work_yaml=WORK)
    await stage.plan("1.0.0", config="work: badly\n", retry={"limit": 1})
    obj = await stage.failed()
    assert condition(obj, "Installed")["reason"] == "HelmFailed"
    assert "work" in condition(obj, "Installed")["message"]
    assert await stage.revisions() == {1: "failed"}
    await stage.settings()


@flux("install-fail-remediate", "an install that failed for good is removed without a trace by deleting its plan",
      "Flux uninstalls it by itself; here it stays until somebody has seen it")  # fmt: skip
async def install_fail_remediate(stage: Stage) -> None:
    await stage.offer("1.0.0", templates__work_yaml=WORK)
    await stage.plan("1.0.0", config="work: badly\n", retry={"limit": 1})
    await stage.failed()
    await stage.leave()
    await until_gone(stage.client, NAMESPACES, stage.namespace)


@flux("install-fail-retry", "as many attempts as the plan allows, then rest until it changes; each one is a revision",
      "Flux uninstalls between attempts; here the next attempt goes on from what is there")  # fmt: skip
async def install_fail_retry(stage: Stage) -> None:
    await stage.offer("1.0.0", templates__work_yaml=WORK)
    await stage.plan("1.0.0", config="work: badly\n", retry={"limit": 2, **QUICKLY})
    await stage.failed(attempts=2)
    assert await stage.revisions() == {1: "failed", 2: "failed"}
    await stage.plan("1.0.0", config="work: well\n")
    await stage.installed("1.0.0")
    assert list((await stage.revisions()).values())[-1] == "deployed"


@flux("install-test-fail", "an install whose Helm tests fail has failed, and a condition says that it was the tests")
async def install_test_fail(stage: Stage) -> None:
    await stage.offer("1.0.0", templates__test_yaml=TEST)
    await stage.plan("1.0.0", config="probe: badly\n", retry={"limit": 1}, tests={"enabled": True})
    await stage.failed()
    assert (await stage.told("Tested", "False"))["message"]
    assert await stage.revisions() == {1: "failed"}
    await stage.settings()


@flux("install-test-fail-ignore", "tests that may fail leave the extension installed, and the condition tells")
async def install_test_fail_ignore(stage: Stage) -> None:
    await stage.offer("1.0.0", templates__test_yaml=TEST)
    tests = {"enabled": True, "onFailure": "Ignore"}
    await stage.plan("1.0.0", config="probe: badly\n", retry={"limit": 1}, tests=tests)
    await stage.installed("1.0.0")
    await stage.told("Tested", "False")
    assert await stage.revisions() == {1: "deployed"}


@flux("job-ttl", "a hook's Job that is cleared away as soon as it is complete has succeeded all the same")
async def job_ttl(stage: Stage) -> None:
    job = WORK.replace("spec:\n", "spec:\n  ttlSecondsAfterFinished: 0\n", 1)
    await stage.offer("1.0.0", templates__work_yaml=job)
    await stage.plan("1.0.0")
    await stage.installed("1.0.0")
    await until_gone(stage.client, JOBS, "work", stage.namespace)


@flux("dependencies", "what needs another extension waits for it and goes on by itself; both may be planned at once",
      "the package says what it needs and in which versions, not the plan")  # fmt: skip
async def dependencies(stage: Stage) -> None:
    backend = f"{stage.name}-backend"
    needs = [{"name": backend, "version": ">=1.0.0", "required": True}]
    await stage.offer("1.0.0", spec={"externalDependencies": needs})
    await stage.offer("0.9.0", "1.0.0", name=backend)
    await stage.plan("1.0.0")
    told = await stage.told("Dependencies", "False")
    assert backend in told["message"]
    await stage.plan("0.9.0", name=backend)
    await stage.installed("0.9.0", name=backend)
    await stage.told("Dependencies", "False")
    await stage.plan("1.0.0", name=backend)
    await stage.installed("1.0.0")


@flux("valuesfrom", "values are merged in one order: the chart's, then the plan's config, then the platform's own",
      "there are no values from ConfigMaps or Secrets: the plan shows what is in force")  # fmt: skip
async def valuesfrom(stage: Stage) -> None:
    values = "color: chart\nshape: chart\nglobal: {clusterInfo: {name: chart}}\n"
    shown = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: merged}\ndata: {shape: {{ .Values.shape }}}\n"
    await stage.offer("1.0.0", **{"values.yaml": values, "templates/merged.yaml": shown})
    await stage.plan("1.0.0", config="color: config\nglobal: {clusterInfo: {name: config}}\n")
    await stage.installed("1.0.0")
    settings = await stage.settings()
    assert (settings["color"], settings["cluster"]) == ("config", "host")
    assert (await stage.client.get(CONFIGMAPS, "merged", stage.namespace))["data"] == {"shape": "chart"}


@flux("delete-ns", "a namespace that somebody deletes under an extension comes again with all that was in it",
      "plans are the cluster's: deleting the namespace does not ask for the extension's end")  # fmt: skip
async def delete_ns(stage: Stage) -> None:
    await stage.offer("1.0.0")
    await stage.plan("1.0.0")
    await stage.installed("1.0.0")
    first = (await stage.client.get(NAMESPACES, stage.namespace))["metadata"]["uid"]
    await make(stage.client, CONFIGMAPS, "somebodys", stage.namespace)
    await stage.client.delete(NAMESPACES, stage.namespace)
    await until_gone(stage.client, CONFIGMAPS, "somebodys", stage.namespace)
    await stage.restored("settings")
    await stage.installed("1.0.0")
    assert (await stage.client.get(NAMESPACES, stage.namespace))["metadata"]["uid"] != first
