export const en = {
  [[key]]_TITLE: [[title|quoted]],
  [[key]]_WELCOME: 'This page is yours: edit frontend/src/Page.tsx.',
[[#backend]]
  [[key]]_LOADING: 'Asking the backend …',
  [[key]]_FAILED: 'The backend did not answer: {reason}',
[[/backend]]
};
