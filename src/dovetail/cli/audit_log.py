"""The options of the audit's file, named as kube-apiserver names them, and how they are handed on."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

OFF: Final = "off"


@dataclass(frozen=True)
class AuditLog:
    """`path` is empty for the usual place in the data directory, `off` for no file."""

    path: str = ""
    max_age: int = 0
    max_backups: int = 10
    max_size: int = 100

    def arguments(self, usual: Path) -> tuple[str, ...]:
        """The same as arguments of `dovetail gateway-control`."""
        return (
            "--audit-log-path", self.path or str(usual), "--audit-log-maxage", str(self.max_age),
            "--audit-log-maxbackup", str(self.max_backups), "--audit-log-maxsize", str(self.max_size),
        )  # fmt: skip


def audit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The four options; the command is given one `audit`."""

    @functools.wraps(command)
    def packed(
        *args: Any, audit_log_path: str, audit_log_maxage: int, audit_log_maxbackup: int, audit_log_maxsize: int,
        **kwargs: Any,
    ) -> Any:  # fmt: skip
        audit = AuditLog(audit_log_path, audit_log_maxage, audit_log_maxbackup, audit_log_maxsize)
        return command(*args, audit=audit, **kwargs)

    number = click.IntRange(min=0)
    for option in (
        click.option("--audit-log-maxsize", type=number, default=100, show_default=True,
                     help="Megabytes at which the audit log is put away and begun anew; 0: never."),
        click.option("--audit-log-maxbackup", type=number, default=10, show_default=True,
                     help="How many audit logs that were put away are kept; 0: all."),
        click.option("--audit-log-maxage", type=number, default=0, show_default="no limit",
                     help="Days that they are kept; the log is then put away every day, too."),
        click.option("--audit-log-path", default="", show_default="audit/audit.log in the data directory",
                     help="The file of audit events, one JSON line each; 'off' writes none."),
    ):  # fmt: skip
        packed = option(packed)
    return packed
