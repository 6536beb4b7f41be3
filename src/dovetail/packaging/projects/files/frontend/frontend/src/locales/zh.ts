export const zh = {
  [[key]]_TITLE: [[title_zh|quoted]],
  [[key]]_WELCOME: '这是您的页面：请编辑 frontend/src/Page.tsx。',
[[#backend]]
  [[key]]_LOADING: '正在请求后端……',
  [[key]]_FAILED: '后端没有响应：{reason}',
[[/backend]]
};
