"""The words for plans, versions and packages."""

from dataclasses import replace
from typing import Final

from dovetail.lifecycle.doctor.findings import Severity, cause

UNKNOWN_EXTENSION: Final = cause(
    "UnknownExtension",
    ("There is no extension {name}", "Check the name, or publish the extension; `kubectl get extensions` lists them."),
    ("没有名为 {name} 的扩展组件", "检查名称，或先发布该扩展组件；`kubectl get extensions` 会列出全部。"),
    depth=1,
)
PLAN_INVALID: Final = cause(
    "PlanInvalid",
    ("The plan cannot be read: {why}", "Correct the fields that it names."),
    ("计划无法读取：{why}", "更正其中指出的字段。"),
    depth=20,
)
NAME_MISMATCH: Final = cause(
    "NameMismatch",
    ("The plan is not named like its extension: {why}", "Make a plan of the extension's name."),
    ("计划与扩展组件的名称不一致：{why}", "以扩展组件的名称创建计划。"),
    depth=20,
)
NAMESPACE_PROTECTED: Final = cause(
    "NamespaceProtected",
    ("The target namespace is the platform's own: {why}", "Name another spec.targetNamespace."),
    ("目标命名空间属于平台自身：{why}", "在 spec.targetNamespace 中指定其他命名空间。"),
    depth=20,
)
VERSION_NOT_FOUND: Final = cause(
    "VersionNotFound",
    (
        "The version that the plan asks for is not published: {why}",
        "Ask for one that there is, publish it, or have its repository read again.",
    ),
    ("计划所要的版本没有发布：{why}", "改为已有的版本，或发布该版本，或让其仓库重新同步。"),
    depth=30,
)
INCOMPATIBLE: Final = cause(
    "Incompatible",
    ("The version does not fit this platform: {why}", "Choose a version that fits."),
    ("该版本与此平台不兼容：{why}", "选择兼容的版本。"),
    depth=20,
)
APPROVAL_REQUIRED: Final = cause(
    "ApprovalRequired",
    ("Nothing is done until somebody approves: {why}", "Look at the plan, then approve it."),
    ("等待批准后才会执行：{why}", "查看变更计划，然后批准。"),
    depth=20,
)
PLAN_STALE: Final = cause(
    "PlanStale",
    ("What was approved is not what would be done now: {why}", "Look at the plan again, then approve it."),
    ("已批准的内容与现在将执行的内容不同：{why}", "重新查看变更计划，然后批准。"),
    depth=20,
)
DEPENDENCY_MISSING: Final = cause(
    "DependencyMissing",
    ("An extension that this one needs is missing: {why}", "Install it; this plan goes on by itself then."),
    ("缺少所依赖的扩展组件：{why}", "安装它，之后此计划会自动继续。"),
    depth=30,
)
DEPENDENCY_BROKEN: Final = cause(
    "DependencyBroken",
    ("The extension {name}, which this one needs, is itself not well", "See what it lacks."),
    ("所依赖的扩展组件 {name} 自身异常", "查看它的问题。"),
    depth=15,
)
DEPENDENTS_BROKEN: Final = cause(
    "DependentsBroken",
    ("Other extensions could not work with that version: {why}", "Upgrade those first, or choose another version."),
    ("该版本会使其他扩展组件无法工作：{why}", "先升级它们，或选择其他版本。"),
    depth=20,
)
DEPENDENTS_HOLD: Final = cause(
    "DependentsHold",
    (
        "Others need this extension, so it stays: {why}",
        "Uninstall those first; the annotation dovetail.dev/ignore-dependents takes it away all the same.",
    ),
    ("其他扩展组件仍依赖它，因此保留：{why}", "先卸载它们；注解 dovetail.dev/ignore-dependents 可强制卸载。"),
    depth=20,
)
PACKAGE_UNAVAILABLE: Final = cause(
    "PackageUnavailable",
    ("The package cannot be fetched: {why}", "Bring it back where it is to be, or publish the version again."),
    ("无法获取软件包：{why}", "在其原位置恢复，或重新发布该版本。"),
    depth=30,
)
DIGEST_MISMATCH: Final = cause(
    "DigestMismatch",
    ("The package is not the one that was promised: {why}", "Publish the version again, or correct the repository."),
    ("软件包与所承诺的不一致：{why}", "重新发布该版本，或更正仓库。"),
    depth=25,
)
UNSIGNED: Final = cause(
    "Unsigned",
    ("The package is not signed by anybody trusted: {why}", "Ask its author to sign, or trust the key."),
    ("软件包没有受信任的签名：{why}", "请作者签名，或信任其密钥。"),
    depth=25,
)
PACKAGE_UNUSABLE: Final = cause(
    "PackageUnusable",
    ("The package cannot be used: {why}", "Publish a correct package under a new version."),
    ("软件包无法使用：{why}", "以新版本发布正确的软件包。"),
    depth=25,
)
NOT_PUBLISHED: Final = cause(
    "VersionUnusable",
    ("{subject} cannot be used: {why}", "Correct it or publish it again."),
    ("{subject} 无法使用：{why}", "更正或重新发布。"),
    depth=25,
)
CRD_UNSAFE: Final = cause(
    "UnsafeCRDChange",
    (
        "The new version changes a CRD in a way that could lose data: {why}",
        "Save the custom resources first; the annotation dovetail.dev/allow-unsafe-crds lets it happen.",
    ),
    ("新版本对 CRD 的修改可能丢失数据：{why}", "先保存自定义资源；注解 dovetail.dev/allow-unsafe-crds 允许执行。"),
    depth=20,
)
PAUSED: Final = cause(
    "Paused",
    ("The plan is paused, nothing is changed", "Let it go on when whoever paused it agrees."),
    ("计划已暂停，不会执行任何变更", "征得暂停者同意后恢复。"),
    severity=Severity.WARNING,
    depth=20,
)
OPERATION_FAILED: Final = cause(
    "OperationFailed",
    ("It failed: {why}", "Remove what it names, then ask the controllers to try again."),
    ("操作失败：{why}", "消除其中指出的原因，然后请控制器重试。"),
    depth=70,
)
ATTEMPTS_EXHAUSTED: Final = cause(
    "AttemptsExhausted",
    ("{count} attempts failed, and no further one is made by itself", "Ask the controllers to try again."),
    ("{count} 次尝试均失败，不会再自动重试", "请控制器重试。"),
    depth=60,
)
RETRY_WAITS: Final = cause(
    "RetryWaits",
    ("What stood in the way has gone; the next attempt waits for its pause", "Ask the controllers to try at once."),
    ("阻碍已消除，下一次尝试仍在等待", "请控制器立即重试。"),
    depth=60,
)
FINALIZER_HOLDS: Final = cause(
    "FinalizerHolds",
    (
        "The plan is uninstalled, but somebody else's finalizer keeps it: {finalizers}",
        "Whoever set the finalizer must remove it; find out whether that controller still runs.",
    ),
    ("计划已卸载，但他人的 finalizer 使其保留：{finalizers}", "须由设置者移除；确认该控制器是否仍在运行。"),
    depth=20,
)
SUBSCRIPTION_REFUSED: Final = cause(
    "SubscriptionRefused",
    ("The Subscription is not followed: {why}", "Change that plan, or delete it first."),
    ("Subscription 没有生效：{why}", "修改该计划，或先删除它。"),
    depth=20,
)
ROLLED_BACK: Final = cause(
    "RolledBack",
    ("An upgrade failed and was rolled back: {why}", "Correct the plan, then ask for the version again."),
    ("升级失败并已回滚：{why}", "更正计划后再次请求该版本。"),
    severity=Severity.WARNING,
    depth=65,
)
TESTS_FAILED: Final = cause(
    "TestsFailed",
    ("The package's tests failed: {why}", "Read the tests' logs."),
    ("软件包的测试失败：{why}", "查看测试日志。"),
    severity=Severity.WARNING,
    depth=45,
)
CLUSTER_FAILED: Final = cause(
    "ClusterFailed",
    ("On member cluster {cluster}: {why}", "The other clusters go on; look at that cluster."),
    ("成员集群 {cluster}：{why}", "其他集群不受影响；请检查该集群。"),
    depth=30,
)
NO_MORE_ATTEMPTS: Final = replace(ATTEMPTS_EXHAUSTED, depth=80)
"""The same, where what stands in the way still does: a symptom."""
OBJECT_TAKEN: Final = cause(
    "ObjectTaken",
    (
        "An object of another owner stands where the extension's is to be: {why}",
        "Rename, remove or hand over that object.",
    ),
    ("扩展组件要创建的对象已被他人占用：{why}", "改名、删除或移交该对象。"),
    depth=20,
)
MISSING_PERMISSION: Final = cause(
    "AccountForbidden",
    ("The extension's account lacks a right: {why}", "Use a version of the extension whose permissions.yaml has it."),
    ("扩展组件的账户缺少权限：{why}", "使用 permissions.yaml 中包含该权限的版本。"),
    depth=25,
)
ROLLBACK_FAILED: Final = cause(
    "RollbackFailed",
    ("An upgrade failed, and so did the way back: {why}", "Ask for a version that works, or for another attempt."),
    ("升级失败，回滚也失败：{why}", "改为可用的版本，或请求重试。"),
    depth=65,
)
