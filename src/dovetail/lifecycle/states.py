"""The published state and condition names of an InstallPlan (reference/kubesphere-core.md 2.2, 2.3)."""

from typing import Final

NONE: Final = ""
PREPARING: Final = "Preparing"
INSTALLING: Final = "Installing"
INSTALLED: Final = "Installed"
INSTALL_FAILED: Final = "InstallFailed"
UPGRADING: Final = "Upgrading"
UPGRADE_FAILED: Final = "UpgradeFailed"
UNINSTALLING: Final = "Uninstalling"
UNINSTALLED: Final = "Uninstalled"
UNINSTALL_FAILED: Final = "UninstallFailed"

WORKING: Final = frozenset({PREPARING, INSTALLING, UPGRADING})
"""An attempt is under way, or was when its controller was killed."""
FAILED: Final = frozenset({INSTALL_FAILED, UPGRADE_FAILED})
ALL: Final = frozenset(
    {NONE, INSTALLED, UNINSTALLING, UNINSTALLED, UNINSTALL_FAILED} | WORKING | FAILED,
)

COND_INITIALIZED: Final = "Initialized"
COND_INSTALLED: Final = "Installed"
COND_UPGRADED: Final = "Upgraded"
COND_ENABLED: Final = "Enabled"
COND_UNINSTALLED: Final = "Uninstalled"
COND_PAUSED: Final = "Paused"
COND_DRIFTED: Final = "Drifted"
COND_TESTED: Final = "Tested"
COND_ROLLED_BACK: Final = "RolledBack"
COND_DEPENDENCIES: Final = "Dependencies"
