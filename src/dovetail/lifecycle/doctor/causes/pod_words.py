"""The words for pods."""

from typing import Final

from dovetail.lifecycle.doctor.findings import cause

IMAGE_NAME: Final = cause(
    "ImageNameInvalid",
    ("The image's name {image} cannot be read", "Correct it in the extension's values."),
    ("镜像名 {image} 无效", "在扩展组件配置中更正。"),
    depth=20,
)
IMAGE_ABSENT: Final = cause(
    "ImageNotFound",
    (
        "The image {image} does not exist: {why}",
        "Correct the image in the extension's values, or push it to the registry.",
    ),
    ("镜像 {image} 不存在：{why}", "在扩展组件配置中更正镜像，或将其推送到镜像仓库。"),
    depth=20,
)
IMAGE_LOGIN: Final = cause(
    "ImageLoginRefused",
    (
        "The registry does not give out {image}: {why}",
        "Make an image pull Secret and name it in the extension's values.",
    ),
    ("镜像仓库拒绝提供 {image}：{why}", "创建镜像拉取 Secret，并在扩展组件配置中引用。"),
    depth=20,
)
IMAGE_REGISTRY: Final = cause(
    "ImageUnreachable",
    (
        "The image {image} cannot be fetched: {why}",
        "See whether nodes reach the registry; `global.imageRegistry` names another.",
    ),
    ("无法拉取镜像 {image}：{why}", "检查节点能否访问镜像仓库；可用 `global.imageRegistry` 指定其他仓库。"),
    depth=20,
)
IMAGE_ARCHITECTURE: Final = cause(
    "ImageArchitecture",
    ("The image {image} is not made for this node's processor: {why}", "Use an image for it, or select other nodes."),
    ("镜像 {image} 不适用于该节点的处理器架构：{why}", "使用适配的镜像，或选择其他节点。"),
    depth=20,
)
CRASH: Final = cause(
    "ContainerCrashes",
    ("The container {container} ends with {code} again and again", "Read its logs; what it lacks is told there."),
    ("容器 {container} 反复以 {code} 退出", "查看日志，其中会说明原因。"),
    depth=25,
)
OUT_OF_MEMORY: Final = cause(
    "OutOfMemory",
    (
        "The container {container} needs more memory than its limit",
        "Raise resources.limits.memory in the extension's values.",
    ),
    ("容器 {container} 的内存超出上限", "在扩展组件配置中提高 resources.limits.memory。"),
    depth=20,
)
CONTAINER_CONFIG: Final = cause(
    "ContainerConfig",
    ("The container {container} is not configured correctly: {why}", "Correct the extension's values."),
    ("容器 {container} 配置有误：{why}", "更正扩展组件的配置。"),
    depth=20,
)
CONTAINER_START: Final = cause(
    "ContainerCannotStart",
    ("The container {container} cannot be started: {why}", "Correct its command or its mounts."),
    ("容器 {container} 无法启动：{why}", "更正其命令或挂载。"),
    depth=20,
)
REFERENCE_MISSING: Final = cause(
    "ReferenceMissing",
    ("{subject}, which a pod needs, is missing: {why}", "Make it, or correct the name in the values."),
    ("Pod 所需的 {subject} 缺失：{why}", "创建它，或在配置中更正名称。"),
    depth=15,
)
READINESS: Final = cause(
    "ReadinessProbeFails",
    (
        "The container {container} runs and is not ready: {why}",
        "Read its logs: it waits for something, or its probe is wrong.",
    ),
    ("容器 {container} 在运行但未就绪：{why}", "查看日志：它在等待什么，或探针配置有误。"),
    depth=30,
)
LIVENESS: Final = cause(
    "LivenessProbeFails",
    ("The container {container} is killed by its own liveness probe: {why}", "Give it more time, or see why it hangs."),
    ("容器 {container} 被自身的存活探针终止：{why}", "延长探针时间，或查明为何无响应。"),
    depth=24,
)
STARTUP: Final = cause(
    "StartupProbeFails",
    (
        "The container {container} does not come up in time: {why}",
        "Read its logs, or give its startup probe more time.",
    ),
    ("容器 {container} 未能及时启动：{why}", "查看日志，或延长启动探针时间。"),
    depth=30,
)
UNSCHEDULABLE: Final = cause(
    "Unschedulable",
    ("No node takes {subject}: {why}", "See what the scheduler says of the nodes."),
    ("没有节点可运行 {subject}：{why}", "查看调度器对节点的说明。"),
    depth=25,
)
NO_ROOM: Final = cause(
    "NoRoomOnNodes",
    ("No node has room for {subject}: {why}", "Add a node, free room, or let the extension ask for less."),
    ("节点资源不足以运行 {subject}：{why}", "增加节点、释放资源，或减少扩展组件的申请量。"),
    depth=20,
)
NO_MATCHING_NODE: Final = cause(
    "NoMatchingNode",
    ("No node has the labels that {subject} asks for: {why}", "Label a node, or change the selector."),
    ("没有节点符合 {subject} 的选择条件：{why}", "为节点添加标签，或修改选择条件。"),
    depth=20,
)
TAINTS: Final = cause(
    "NodesTainted",
    ("All nodes are tainted against {subject}: {why}", "Tolerate the taint in the values, or remove it."),
    ("所有节点都有 {subject} 不容忍的污点：{why}", "在配置中容忍该污点，或移除它。"),
    depth=20,
)
CLAIM_WAITS: Final = cause(
    "VolumeWaits",
    ("{subject} waits for its volume: {why}", "See the claim."),
    ("{subject} 在等待存储卷：{why}", "查看对应的 PVC。"),
    depth=40,
)
MOUNT: Final = cause(
    "MountFailed",
    ("A volume of {subject} cannot be mounted: {why}", "See the volume, and the node's storage driver."),
    ("{subject} 的存储卷无法挂载：{why}", "检查存储卷与节点的存储驱动。"),
    depth=20,
)
SANDBOX: Final = cause(
    "SandboxFailed",
    ("The node cannot set up the pod's network: {why}", "Look at the network plugin of that node."),
    ("节点无法建立 Pod 网络：{why}", "检查该节点的网络插件。"),
    depth=15,
)
EVICTED: Final = cause(
    "Evicted",
    ("A node evicted {subject}: {why}", "Free what ran out on the node."),
    ("{subject} 被节点驱逐：{why}", "释放节点上不足的资源。"),
    depth=25,
)
POD_HELD: Final = cause(
    "PodHeld",
    ("{subject} cannot go, a finalizer holds it: {finalizers}", "See whether its controller still runs."),
    ("{subject} 无法删除，被 finalizer 保留：{finalizers}", "确认其控制器是否仍在运行。"),
    depth=25,
)
