"""A diagnosis as text for people and as JSON for programs, in English and Chinese."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from dovetail.lifecycle.doctor.findings import LANGUAGES, Finding, Ref, Severity
from dovetail.lifecycle.doctor.ranking import Diagnosis, Root

_WORDS: Final = {
    "en": {
        "platform": "The platform", "well": "no problem found", "evidence": "seen", "way": "way out", "run": "run",
        "fix": "--fix asks the controllers to try again: ", "so": "therefore", "unread": "could not be looked at",
        "problem": "problem", "warning": "warning", "note": "note", "blind": "no problem found in what could be read",
    },
    "zh": {
        "platform": "平台", "well": "没有发现问题", "evidence": "依据", "way": "解决办法", "run": "命令",
        "fix": "--fix 会请控制器重试：", "so": "由此导致", "unread": "无法查看",
        "problem": "问题", "warning": "警告", "note": "说明", "blind": "在可读取的范围内没有发现问题",
    },
}  # fmt: skip
_MOST_SYMPTOMS: Final = 8


def exit_code(diagnoses: Iterable[Diagnosis]) -> int:
    """0 healthy, 1 problems were found, 2 none were found, but not everything could be looked at."""
    diagnoses = list(diagnoses)
    if any(diagnosis.problems for diagnosis in diagnoses):
        return 1
    return 2 if any(diagnosis.unread for diagnosis in diagnoses) else 0


def as_json(diagnoses: Iterable[Diagnosis], mended: Iterable[Ref] = ()) -> dict[str, Any]:
    """All of it, with the words of every language."""
    diagnoses = list(diagnoses)
    return {
        "healthy": exit_code(diagnoses) == 0,
        "mended": [_ref(ref) for ref in mended],
        "diagnoses": [
            {
                "extension": diagnosis.extension,
                "state": diagnosis.state,
                "causes": [_root(root) for root in diagnosis.roots],
                "unread": [{"what": each.what, "why": each.why} for each in diagnosis.unread],
            }
            for diagnosis in diagnoses
        ],
    }


def as_text(diagnoses: Iterable[Diagnosis], language: str) -> str:
    """For a terminal."""
    return "\n".join(line for diagnosis in diagnoses for line in _lines(diagnosis, language))


def _lines(diagnosis: Diagnosis, language: str) -> Iterator[str]:
    words = _WORDS[language]
    title = diagnosis.extension or words["platform"]
    quiet = words["blind"] if diagnosis.unread else words["well"]
    yield f"{title}: {diagnosis.state}" + ("" if diagnosis.problems else f" - {quiet}")
    for root in diagnosis.roots:
        yield from _finding_lines(root, words, language)
    for each in diagnosis.unread:
        yield f"  {words['unread']}: {each.what} ({each.why})"


def _finding_lines(root: Root, words: dict[str, str], language: str) -> Iterator[str]:
    finding = root.finding
    what, way = finding.says(language)
    yield f"  {words[finding.cause.severity.name.lower()]} {finding.cause.code}: {what}"
    for each in finding.evidence:
        yield f"    {words['evidence']}: {each.where}: {each.said}"
    if finding.cause.severity is not Severity.NOTE:
        yield f"    {words['way']}: {way}"
    for command in finding.commands:
        yield f"    {words['run']}: {command}"
    if finding.action is not None:
        yield f"    {words['fix']}{finding.action.of}"
    for symptom in root.symptoms[:_MOST_SYMPTOMS]:
        yield f"    {words['so']}: {symptom.subject}: {symptom.says(language).what}"
    if more := root.symptoms[_MOST_SYMPTOMS:]:
        yield f"    {words['so']}: +{len(more)}"


def _root(root: Root) -> dict[str, Any]:
    return {**_finding(root.finding), "symptoms": [_finding(each) for each in root.symptoms]}


def _finding(finding: Finding) -> dict[str, Any]:
    said = {language: finding.says(language) for language in LANGUAGES}
    return {
        "cause": finding.cause.code,
        "severity": finding.cause.severity.name.lower(),
        "object": _ref(finding.subject),
        "message": {language: words.what for language, words in said.items()},
        "fix": {
            "way": {language: words.way for language, words in said.items()},
            "commands": list(finding.commands),
            "retry": _ref(finding.action.of) if finding.action else None,
        },
        "evidence": [{"where": each.where, "said": each.said} for each in finding.evidence],
    }


def _ref(ref: Ref) -> dict[str, str]:
    return {"kind": ref.kind, "name": ref.name, "namespace": ref.namespace}
