"""Statements, steps and repairs as sentences, in English and Chinese. Pure.

A sentence names everything it is about and is understood alone; many versions are told as the oldest and the newest.
"""

from collections.abc import Sequence
from typing import Final, Literal

from dovetail.lifecycle.dependencies.conflict import Conflict, Repair
from dovetail.lifecycle.dependencies.impact import Broken
from dovetail.lifecycle.dependencies.ranges import precedence
from dovetail.lifecycle.dependencies.solver import Change, Wish
from dovetail.lifecycle.dependencies.statements import (
    PLATFORM,
    Asked,
    AskedVersion,
    Kept,
    Needs,
    Pinned,
    Removed,
    Statement,
    Stays,
    Wants,
)

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
_FEW: Final = 3

_STEPS: Final = {
    "en": {
        "install": "install {name} {after}", "upgrade": "upgrade {name} from {before} to {after}",
        "downgrade": "go back with {name} from {before} to {after}", "uninstall": "uninstall {name} {before}",
    },
    "zh": {
        "install": "安装 {name} {after}", "upgrade": "将 {name} 从 {before} 升级到 {after}",
        "downgrade": "将 {name} 从 {before} 降级到 {after}", "uninstall": "卸载 {name} {before}",
    },
}  # fmt: skip


def statement(one: Statement, language: Language) -> str:
    """One statement of a contradiction, as a sentence."""
    en = language == "en"
    match one:
        case Asked(name, offered):
            if not offered:
                return f"no version of {name} is known" if en else f"没有已知的 {name} 版本"
            return f"{name} shall be installed" if en else f"要安装 {name}"
        case AskedVersion(name, range, version, offered):
            asked = f"{name} shall be {version or range}" if en else f"要求 {name} 为 {version or range}"
            there = _there_is(offered, language)
            return f"{asked}; {there}" if en else f"{asked}；{there}"
        case Removed(name):
            return f"{name} shall be uninstalled" if en else f"要卸载 {name}"
        case Stays(name, version):
            return f"{name} {version} is installed and stays" if en else f"已安装 {name} {version}，需要保留"
        case Pinned(name, version):
            return f"{name} {version} is installed and pinned" if en else f"已安装 {name} {version}，版本已锁定"
        case Kept(name, version):
            return f"{name} {version} is installed" if en else f"已安装 {name} {version}"
        case Needs():
            return _needs(one, language)
        case Wants(name, versions, what, range, actual):
            told, on = _versions(name, versions, language), _platform(what, language)
            if en:
                return f"{told} {_verb(versions, 'runs', 'run')} on {on} {range} only; this is {actual}"
            return f"{told} 只能在 {on} {range} 上运行；当前为 {actual}"


def change(one: Change, language: Language) -> str:
    """One step, without a full stop."""
    return _STEPS[language][one.verb].format(name=one.extension, before=one.before, after=one.after)


def repair(one: Repair, language: Language) -> str:
    """What to do, in one sentence."""
    # What is only kept or was only asked in another version, and what is uninstalled, is told by its step.
    first = [_giving_up(given, language) for given in one.given_up if isinstance(given, Pinned | Wants | Needs)]
    steps = [change(step, language) for step in one.changes]
    return (", ".join if language == "en" else "，".join)([*first, *steps])


def wish(one: Wish, language: Language) -> str:
    """An optional dependency that is not met."""
    target = f"{one.target} {one.range}".strip()
    if language == "en":
        has = f"{one.version} is there" if one.version else "which is not installed"
        return f"{one.extension} can use {target}, {'but ' if one.version else ''}{has}"
    return f"{one.extension} 可以配合 {target} 使用，但{'当前为 ' + one.version if one.version else '尚未安装'}"


def broken(one: Broken, language: Language) -> str:
    """Who would lack what."""
    told, target = f"{one.extension} {one.version}", f"{one.target} {one.range}".strip()
    return f"{told} needs {target}" if language == "en" else f"{told} 需要 {target}"


def conflict(one: Conflict, language: Language) -> str:
    """The whole explanation, in lines."""
    en = language == "en"
    lines = ["These do not go together:" if en else "以下各项不能同时满足："]
    lines += [f"  - {statement(part, language)}" for part in one.core]
    if one.repairs:
        lines.append("What would solve it, the best first:" if en else "可行的解决办法（按推荐顺序）：")
        lines += [f"  {at}. {repair(way, language)}" for at, way in enumerate(one.repairs, 1)]
    else:
        lines.append("Nothing that can be changed here would solve it." if en else "这里没有可以调整的办法。")
    return "\n".join(lines)


def _needs(one: Needs, language: Language) -> str:
    told, target = _versions(one.extension, one.versions, language), f"{one.target} {one.range}".strip()
    there = _there_is(one.offered, language)
    if language == "en":
        return f"{told} {_verb(one.versions, 'needs', 'need')} {target}; {there}"
    return f"{told} 需要 {target}；{there}"


def _giving_up(one: Pinned | Wants | Needs, language: Language) -> str:
    en = language == "en"
    match one:
        case Pinned(name, version):
            return f"let {name} change ({version} is pinned)" if en else f"解除 {name} 的版本锁定（{version}）"
        case Wants(_, _, what, range, actual):
            on = _platform(what, language)
            return f"change {on} from {actual} to {range}" if en else f"将 {on} 从 {actual} 改为 {range}"
        case Needs(_, _, target, range):
            told = f"{target} {range}".strip()
            return f"add a repository that has {told}" if en else f"添加提供 {told} 的仓库"


def _there_is(offered: Sequence[str], language: Language) -> str:
    if not offered:
        return "no version of it is known" if language == "en" else "没有已知版本"
    known = _listed(sorted(offered, key=precedence))
    return f"there is {known}" if language == "en" else f"现有 {known}"


def _versions(name: str, versions: Sequence[str], language: Language) -> str:
    if not versions:
        return f"every version of {name}" if language == "en" else f"{name} 的所有版本"
    return f"{name} {_listed(sorted(versions, key=precedence))}"


def _listed(ascending: Sequence[str]) -> str:
    """All of a few, else the ends."""
    if len(ascending) <= _FEW:
        return ", ".join(ascending)
    return f"{ascending[0]} … {ascending[-1]} ({len(ascending)})"


def _verb(versions: Sequence[str], one: str, many: str) -> str:
    return one if len(versions) == 1 else many


def _platform(what: str, language: Language) -> str:
    if what != PLATFORM:
        return what
    return "the platform" if language == "en" else "平台"
