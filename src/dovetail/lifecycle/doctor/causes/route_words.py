"""The words for routes, bundles and webhooks of an extension."""

from typing import Final

from dovetail.lifecycle.doctor.findings import Severity, cause

SERVICE_MISSING: Final = cause(
    "ServiceMissing",
    ("{subject} leads to a Service that does not exist: {why}", "Make the Service, or correct the route."),
    ("{subject} 指向的 Service 不存在：{why}", "创建该 Service，或更正路由。"),
    depth=40,
)
PORT_MISSING: Final = cause(
    "PortMissing",
    ("{subject} leads to a port that its Service lacks: {why}", "Correct the port in the route or the Service."),
    ("{subject} 指向的端口在 Service 中不存在：{why}", "更正路由或 Service 的端口。"),
    depth=40,
)
NO_ENDPOINTS: Final = cause(
    "NoEndpoints",
    ("{subject} has nobody to answer: {why}", "See why the Service's pods are not ready."),
    ("{subject} 没有可用的后端：{why}", "查看该 Service 的 Pod 为何未就绪。"),
    depth=60,
)
SELECTS_NOTHING: Final = cause(
    "ServiceSelectsNothing",
    ("{subject} selects no pod at all", "Correct its selector."),
    ("{subject} 没有选中任何 Pod", "更正其选择器。"),
    depth=30,
)
REFUSES: Final = cause(
    "BackendRefuses",
    ("The backend of {subject} refuses connections: {why}", "See that it listens on this port."),
    ("{subject} 的后端拒绝连接：{why}", "确认其在该端口监听。"),
    depth=45,
)
CERTIFICATE: Final = cause(
    "BackendCertificate",
    ("The backend of {subject} has no certificate that is trusted: {why}", "Set caBundle to its authority."),
    ("{subject} 的后端证书不受信任：{why}", "将 caBundle 设为其 CA。"),
    depth=45,
)
SILENT: Final = cause(
    "BackendSilent",
    ("The backend of {subject} does not answer: {why}", "See whether it runs and is reached from here."),
    ("{subject} 的后端没有应答：{why}", "确认其是否运行且可访问。"),
    depth=45,
)
NAME_UNKNOWN: Final = cause(
    "BackendNameUnknown",
    ("The backend of {subject} has an unknown host name: {why}", "Correct the address."),
    ("{subject} 的后端主机名无法解析：{why}", "更正地址。"),
    depth=45,
)
UNHEALTHY: Final = cause(
    "BackendUnhealthy",
    ("The health check of {subject} fails: {why}", "Read the backend's logs."),
    ("{subject} 的健康检查失败：{why}", "查看后端日志。"),
    depth=45,
)
CONFLICT: Final = cause(
    "RouteConflict",
    ("Requests of {subject} go to an older object: {why}", "Give one of both another path."),
    ("{subject} 的请求由更早的对象处理：{why}", "为其中之一更换路径。"),
    depth=40,
)
INVALID: Final = cause(
    "RouteInvalid",
    ("{subject} is not written correctly: {why}", "Correct the fields that it names."),
    ("{subject} 配置有误：{why}", "更正其中指出的字段。"),
    depth=38,
)
RESERVED: Final = cause(
    "RouteReserved",
    ("{subject} asks for paths of the platform: {why}", "Choose another path."),
    ("{subject} 使用了平台保留的路径：{why}", "选择其他路径。"),
    depth=38,
)
BUNDLE_DIGEST: Final = cause(
    "BundleDigest",
    ("The bytes of {subject} are not those that were promised: {why}", "Publish the bundle again with its digest."),
    ("{subject} 的内容与承诺的摘要不符：{why}", "重新发布该前端包及其摘要。"),
    depth=40,
)
BUNDLE_LINK: Final = cause(
    "BundleLinkTaken",
    ("Another bundle is served at the path of {subject}: {why}", "Choose another link."),
    ("{subject} 的路径已被其他前端包占用：{why}", "选择其他路径。"),
    depth=40,
)
BUNDLE_SOURCE: Final = cause(
    "BundleSourceMissing",
    ("The source of {subject} is missing: {why}", "Make it, or correct spec.rawFrom."),
    ("{subject} 的来源缺失：{why}", "创建它，或更正 spec.rawFrom。"),
    depth=40,
)
BUNDLE_UNREACHABLE: Final = cause(
    "BundleUnreachable",
    ("The bytes of {subject} cannot be fetched: {why}", "See whether their server answers."),
    ("无法获取 {subject} 的内容：{why}", "确认其服务器是否应答。"),
    depth=45,
)
BUNDLE_UNUSABLE: Final = cause(
    "BundleUnusable",
    ("{subject} cannot be served: {why}", "Correct it."),
    ("{subject} 无法提供服务：{why}", "更正它。"),
    depth=40,
)
BUNDLE_PARTS: Final = cause(
    "BundleIncomplete",
    ("{subject} is served without some of its files: {why}", "Bring the files back."),
    ("{subject} 缺少部分文件：{why}", "恢复这些文件。"),
    severity=Severity.WARNING,
    depth=45,
)
SWITCHED_OFF: Final = cause(
    "SwitchedOff",
    ("{subject} is switched off, although its extension is enabled", "Ask the controllers to look again."),
    ("扩展组件已启用，但 {subject} 被关闭", "请控制器重新检查。"),
    depth=40,
)
GATEWAY_DOWN: Final = cause(
    "GatewayNotRunning",
    ("Nobody judges the routes: the gateway's control does not run", "Start `dovetail apiserver`."),
    ("没有进程处理路由：网关控制进程未运行", "启动 `dovetail apiserver`。"),
    depth=5,
)
CONSOLE_DOWN: Final = cause(
    "ConsoleNotRunning",
    ("Nobody serves the bundles: the console does not run", "Start `dovetail console`."),
    ("没有进程提供前端包：控制台未运行", "启动 `dovetail console`。"),
    depth=5,
)
OWN_WEBHOOK: Final = cause(
    "OwnWebhookDown",
    (
        "The extension's own webhook {subject} refuses everything, because {service} is not ready",
        "See the pods of that Service.",
    ),
    ("扩展组件自身的 Webhook {subject} 会拒绝所有请求，因为 {service} 未就绪", "查看该 Service 的 Pod。"),
    depth=55,
)
