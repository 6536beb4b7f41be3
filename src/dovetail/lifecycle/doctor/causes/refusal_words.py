"""The words for what refuses: admission, quotas, RBAC, Helm."""

from typing import Final

from dovetail.lifecycle.doctor.findings import cause

WEBHOOK_DENIED: Final = cause(
    "WebhookDenied",
    (
        "The admission webhook {hook} refuses an object: {why}",
        "Change the extension's values so that its objects fit the policy, or have the policy's owner except them.",
    ),
    ("准入 Webhook {hook} 拒绝了一个对象：{why}", "调整扩展组件的配置使其对象符合策略，或请策略的管理者将其排除。"),
    depth=20,
)
WEBHOOK_UNREACHABLE: Final = cause(
    "WebhookUnreachable",
    (
        "The admission webhook {hook} does not answer, and nothing passes without it: {why}",
        "Bring the webhook's Service back; if its owner is gone for good, delete {subject}.",
    ),
    (
        "准入 Webhook {hook} 没有应答，请求因此无法通过：{why}",
        "恢复该 Webhook 的 Service；若其所有者已不存在，删除 {subject}。",
    ),
    depth=20,
)
CONVERSION_FAILED: Final = cause(
    "ConversionWebhookFailed",
    ("The conversion webhook of {kind} does not work: {why}", "Bring the Service back that its CRD names."),
    ("{kind} 的转换 Webhook 无法工作：{why}", "恢复其 CRD 中所指定的 Service。"),
    depth=20,
)
QUOTA_EXCEEDED: Final = cause(
    "QuotaExceeded",
    (
        "The quota {subject} leaves no room: requested {requested}, used {used} of {limited}",
        "Raise the quota, or let the extension ask for less.",
    ),
    ("配额 {subject} 已无余量：申请 {requested}，已用 {used}，上限 {limited}", "提高配额，或减少扩展组件的申请量。"),
    depth=20,
)
QUOTA_NEEDS_LIMITS: Final = cause(
    "QuotaNeedsLimits",
    (
        "The quota {subject} counts what the pods do not state: {why}",
        "State requests and limits in the extension's values, or give the namespace a LimitRange with defaults.",
    ),
    (
        "配额 {subject} 统计的资源在 Pod 中没有声明：{why}",
        "在扩展组件配置中声明 requests 与 limits，或为命名空间设置带默认值的 LimitRange。",
    ),
    depth=20,
)
LIMIT_RANGE: Final = cause(
    "OutOfLimitRange",
    ("{subject} does not admit the pods: {why}", "Change the extension's requests and limits, or the LimitRange."),
    ("{subject} 不接受这些 Pod：{why}", "调整扩展组件的 requests 与 limits，或调整 LimitRange。"),
    depth=20,
)
POD_SECURITY: Final = cause(
    "PodSecurityRefused",
    (
        "Namespace {namespace} admits pods of the level {level} only: {why}",
        "Let the extension's pods keep that level; lower the namespace's level only if you trust the extension.",
    ),
    (
        "命名空间 {namespace} 只接受 {level} 级别的 Pod：{why}",
        "让扩展组件的 Pod 符合该级别；仅在信任该扩展组件时降低命名空间的级别。",
    ),
    depth=20,
)
ACCOUNT_FORBIDDEN: Final = cause(
    "AccountForbidden",
    (
        "The extension's account may not {verb} {resource}{place}: its permissions.yaml does not ask for it",
        "Use a version of the extension whose permissions.yaml has this right; its author must add it.",
    ),
    (
        "扩展组件的账户无权对 {resource} 执行 {verb}{place}：其 permissions.yaml 没有申请该权限",
        "使用在 permissions.yaml 中包含该权限的版本；须由扩展组件作者添加。",
    ),
    depth=25,
)
ACCOUNT_LOST: Final = cause(
    "AccountLost",
    (
        "{lost} is missing: somebody deleted a part of the rights of the extension's account",
        "Ask the controllers to try again; they make the account and its roles anew.",
    ),
    ("{lost} 不存在：扩展组件账户的一部分权限已被删除", "请控制器重试，控制器会重新创建账户及其角色。"),
    depth=15,
)
PLATFORM_FORBIDDEN: Final = cause(
    "ControllersForbidden",
    (
        "{user} may not {verb} {resource}{place}: the platform's controllers lack a right on this cluster",
        "Give the controllers' account the ClusterRole that the installation manual names.",
    ),
    (
        "{user} 无权对 {resource} 执行 {verb}{place}：平台控制器缺少集群权限",
        "为控制器账户绑定安装手册中要求的 ClusterRole。",
    ),
    depth=15,
)
ESCALATION: Final = cause(
    "EscalationRefused",
    (
        "The extension makes a role with rights that its own account does not have",
        "Its permissions.yaml must hold every right that its roles grant; ask its author, or take another version.",
    ),
    (
        "扩展组件创建的角色包含其账户自身没有的权限",
        "其 permissions.yaml 必须包含其角色所授予的全部权限；请联系作者或换一个版本。",
    ),
    depth=20,
)
SERVICE_ACCOUNT_MISSING: Final = cause(
    "ServiceAccountMissing",
    ("{subject} is missing, so that no pod can be made that names it", "Make it, or correct the name in the values."),
    ("{subject} 不存在，引用它的 Pod 无法创建", "创建该账户，或在配置中更正其名称。"),
    depth=15,
)
PRIORITY_CLASS_MISSING: Final = cause(
    "PriorityClassMissing",
    ("There is no PriorityClass {name}", "Make it, or name another in the extension's values."),
    ("PriorityClass {name} 不存在", "创建它，或在扩展组件配置中指定另一个。"),
    depth=20,
)
RUNTIME_CLASS_MISSING: Final = cause(
    "RuntimeClassMissing",
    ("There is no RuntimeClass {name}", "Make it, or name another in the extension's values."),
    ("RuntimeClass {name} 不存在", "创建它，或在扩展组件配置中指定另一个。"),
    depth=20,
)
IN_TERMINATING_NAMESPACE: Final = cause(
    "NamespaceTerminating",
    ("{subject} is being deleted; nothing new can be made in it", "Wait until it is gone."),
    ("{subject} 正在删除，无法在其中创建新对象", "等待其删除完成。"),
    depth=30,
)
KIND_NOT_SERVED: Final = cause(
    "KindNotServed",
    (
        "The cluster does not serve {kind} in {version}",
        "Install what brings that CRD, use a version of the extension for this Kubernetes, or correct its values.",
    ),
    (
        "集群不提供 {version} 的 {kind}",
        "安装提供该 CRD 的组件，使用适配该 Kubernetes 版本的扩展组件版本，或更正其配置。",
    ),
    depth=20,
)
OBJECT_TAKEN: Final = cause(
    "ObjectTaken",
    (
        "{object} is there already and belongs to somebody else; it is not taken over",
        "Remove or rename it if nobody needs it, or let the extension use another name.",
    ),
    ("{object} 已存在且属于他人，不会被接管", "若无人需要，删除或改名；或让扩展组件使用其他名称。"),
    depth=20,
)
API_UNAVAILABLE: Final = cause(
    "AggregatedApiUnavailable",
    (
        "The aggregated API {name} does not answer: {why}",
        "Bring its backend back, or delete the APIService if nobody needs it.",
    ),
    ("聚合 API {name} 没有应答：{why}", "恢复其后端；若无人需要，删除该 APIService。"),
    depth=10,
)
IMMUTABLE_FIELD: Final = cause(
    "ImmutableField",
    (
        "The new version changes a field that Kubernetes never changes: {why}",
        "The object named must be deleted and made again; see first what would be lost with it.",
    ),
    ("新版本修改了 Kubernetes 不允许修改的字段：{why}", "须删除并重建所指的对象；请先确认会丢失什么。"),
    depth=25,
)
VALUES_REFUSED: Final = cause(
    "ValuesRefused",
    ("The plan's configuration does not fit the package's schema: {why}", "Correct spec.config of the plan."),
    ("计划中的配置不符合软件包的 schema：{why}", "更正计划的 spec.config。"),
    depth=25,
)
TEMPLATE_FAILED: Final = cause(
    "TemplateFailed",
    (
        "The package cannot be rendered with these values: {why}",
        "Correct spec.config of the plan, or use another version.",
    ),
    ("软件包无法以这些配置渲染：{why}", "更正计划的 spec.config，或使用其他版本。"),
    depth=25,
)
TOO_LARGE: Final = cause(
    "ObjectTooLarge",
    ("An object of the extension is larger than the cluster stores: {why}", "Its author must split it."),
    ("扩展组件的一个对象超出集群可存储的大小：{why}", "须由作者拆分。"),
    depth=25,
)
OPERATION_IN_PROGRESS: Final = cause(
    "ReleaseLocked",
    ("The release is locked by an operation that was cut off", "Ask the controllers to try again; they unlock it."),
    ("发布被中断的操作锁定", "请控制器重试，控制器会解锁。"),
    depth=35,
)
DISK_FULL: Final = cause(
    "DiskFull",
    ("The disk is full: {why}", "Free space where the cluster keeps its data."),
    ("磁盘已满：{why}", "在集群存放数据的位置释放空间。"),
    depth=5,
)
TIMED_OUT: Final = cause(
    "TimedOut",
    ("It took longer than it may: {why}", "See what the hooks and pods wait for; spec.hookTimeout allows more time."),
    ("操作超时：{why}", "查看 Hook 与 Pod 在等待什么；可用 spec.hookTimeout 延长时间。"),
    depth=45,
)
OBJECT_INVALID: Final = cause(
    "ObjectInvalid",
    ("The cluster does not take {object}: {why}", "Correct the extension's values, or use another version."),
    ("集群不接受 {object}：{why}", "更正扩展组件的配置，或使用其他版本。"),
    depth=25,
)
