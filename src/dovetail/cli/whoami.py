"""`dovetail whoami`: who somebody is to the platform, and why he may or may not do a thing.

It reads the cluster's objects and compiles the policy as the gateway does, so it tells what holds now, works while the
platform does not run, and needs no more of it than a kubeconfig of the cluster. Nothing is asked on the user's behalf.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from dovetail.cli.errors import ClusterUnreachable

if TYPE_CHECKING:
    from dovetail.iam.attributes import Attributes
    from dovetail.iam.compiler import PolicyCompiler
    from dovetail.iam.explain import Explanation
    from dovetail.iam.policy import Identity
    from dovetail.kube import Client

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@click.command("whoami")
@click.option("--as", "user", default="", help="The user; by default the one that the kubeconfig logs in.")
@click.option(
    "--can", nargs=2, default=None, metavar="VERB RESOURCE",
    help="What to explain: list pods, update deployments.apps/scale, or a request: POST /kapis/...",
)  # fmt: skip
@click.option("--name", default="", help="The name of the one object it is about.")
@click.option("-n", "--namespace", default="", help="In this namespace.")
@click.option("--workspace", default="", help="In this workspace.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="The cluster; by default kubectl's.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def whoami(
    user: str, can: tuple[str, str] | None, name: str, namespace: str, workspace: str, kubeconfig: Path | None,
    output: str,
) -> None:  # fmt: skip
    """Say who a user is to the platform, and with --can why the user may do a thing or may not.

    The exit code is 0 when it is allowed, 1 when it is not.
    """
    import uvloop

    compiler, identity, asked = uvloop.run(_look(kubeconfig, user, can, (name, namespace, workspace)))
    if asked is None:
        _tell(_person(compiler, identity), output, _person_text)
        return
    from dovetail.iam.explain import explain

    explanation = explain(compiler, identity, asked)
    _tell(_answer(identity, explanation), output, _explained_text)
    raise SystemExit(0 if explanation.allowed else 1)


async def _look(
    kubeconfig: Path | None, user: str, can: tuple[str, str] | None, place: tuple[str, str, str]
) -> "tuple[PolicyCompiler, Identity, Attributes | None]":
    from dovetail.kube import Client, ClusterConfig
    from dovetail.kube.errors import KubeError

    try:
        async with Client(ClusterConfig.load(kubeconfig), user_agent="dovetail-whoami") as client:
            compiler = await _compiled(client)
            identity = _identity(compiler, user) if user else await _own_identity(client, compiler)
            return compiler, identity, await _attributes(client, *can, *place) if can else None
    except KubeError as error:
        raise ClusterUnreachable(kubeconfig, str(error)) from error


async def _compiled(client: "Client") -> "PolicyCompiler":
    from dovetail.gateway.policy_objects import WATCHED
    from dovetail.iam.compiler import compile_objects

    lists = await asyncio.gather(*(client.list(resource) for resource in WATCHED))
    found = {resource.kind: listed.items for resource, listed in zip(WATCHED, lists, strict=True)}
    return compile_objects(found)


def _identity(compiler: "PolicyCompiler", user: str) -> "Identity":
    from dovetail.iam.policy import Identity

    account = compiler.policy().accounts.get(user)
    return Identity(name=user, uid=account.uid if account else "", groups=account.groups if account else ())


async def _own_identity(client: "Client", compiler: "PolicyCompiler") -> "Identity":
    """Whom the cluster takes us for, with the groups that the platform knows of that user."""
    from dovetail.iam.policy import Identity

    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answer = await client.request("POST", path, body=review)
    info: dict[str, Any] = orjson.loads(answer.body).get("status", {}).get("userInfo", {})
    name = str(info.get("username", ""))
    if name in compiler.policy().accounts:
        return _identity(compiler, name)
    return Identity(name=name, groups=tuple(map(str, info.get("groups") or ())))


async def _attributes(
    client: "Client", verb: str, resource: str, name: str, namespace: str, workspace: str
) -> "Attributes":
    from dovetail.iam.attributes import of_resource, parse

    if resource.startswith("/"):
        path, _, query = resource.partition("?")
        method = verb.upper()
        if method not in _METHODS:
            raise click.UsageError(f"with a path, say the method of the request ({', '.join(sorted(_METHODS))})")
        return parse(method, path, query)
    kind, _, subresource = resource.partition("/")
    plural, _, group = kind.partition(".")
    group = group or await _group_of(client, plural)
    prefix = "kapis" if group.endswith("kubesphere.io") else "apis" if group else "api"
    return of_resource(
        verb, group, plural, subresource=subresource, name=name, namespace=namespace, workspace=workspace, prefix=prefix
    )


async def _group_of(client: "Client", plural: str) -> str:
    """The group of a resource that is named without one: the core's, or the only one that has it."""
    served = await client.discover_all()
    groups = {one.resource.group for one in served if one.resource.plural == plural}
    if "" in groups or not groups:
        return ""
    if len(groups) > 1:
        raise click.UsageError(
            f"{plural} are in several groups; say {' or '.join(f'{plural}.{g}' for g in sorted(groups))}"
        )
    return groups.pop()


def _person(compiler: "PolicyCompiler", identity: "Identity") -> dict[str, Any]:
    from dovetail.iam.rules import groups_of

    account = compiler.policy().accounts.get(identity.name)
    subjects = [("User", identity.name), *(("Group", group) for group in groups_of(identity))]
    held = [
        {"kind": kind, "binding": name, "place": binding.place.name, "role": binding.role, "subject": subject}
        for of, subject in subjects
        if of == "Group" or account is not None
        for kind, name, binding in compiler.bindings_of(of, subject)
    ]
    return {
        "user": identity.name, "exists": account is not None, "disabled": bool(account and account.disabled),
        "groups": list(groups_of(identity)), "bindings": held,
    }  # fmt: skip


def _person_text(person: dict[str, Any]) -> str:
    state = "disabled" if person["disabled"] else "" if person["exists"] else "no user of the platform"
    lines = [f"{person['user']}{f' ({state})' if state else ''}", f"groups: {', '.join(person['groups'])}"]
    for held in person["bindings"]:
        role, place = held["kind"].removesuffix("Binding"), f" in {held['place']}" if held["place"] else ""
        via = f", as {held['subject']}" if held["subject"] != person["user"] else ""
        lines.append(f"{role} {held['role']}{place} ({held['kind']} {held['binding']}{via})")
    return "\n".join(lines)


def _answer(identity: "Identity", explanation: "Explanation") -> dict[str, Any]:
    import msgspec

    return {"user": identity.name, **msgspec.to_builtins(explanation)}


def _explained_text(answer: dict[str, Any]) -> str:
    lines = [f"{'yes' if answer['allowed'] else 'no'}: {answer['reason']}"]
    if "binding" in answer:
        lines += [f"  binding  {answer['binding']}, which names {answer['subject']}", f"  role     {answer['role']}"]
    if "rule" in answer:
        lines.append(f"  rule     {orjson.dumps(answer['rule']).decode()}")
    if "rego" in answer:
        lines.append("  rego     " + answer["rego"].strip().replace("\n", "\n           "))
    return "\n".join([*lines, *(f"  - {note}" for note in answer.get("notes", ()))])


def _tell(answer: dict[str, Any], output: str, text: Callable[[dict[str, Any]], str]) -> None:
    click.echo(orjson.dumps(answer).decode() if output == "json" else text(answer))
