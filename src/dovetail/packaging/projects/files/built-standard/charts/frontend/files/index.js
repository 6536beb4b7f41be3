System.register(["react"], (function(exports, module) {
  "use strict";
  var React, useState, useEffect;
  return {
    setters: [(module2) => {
      React = module2.default;
      useState = module2.useState;
      useEffect = module2.useEffect;
    }],
    execute: (function() {
      const en = {
        [[key]]_TITLE: [[title|quoted]],
        [[key]]_WELCOME: "This page is yours: edit frontend/src/Page.tsx.",
        [[key]]_LOADING: "Asking the backend …",
        [[key]]_FAILED: "The backend did not answer: {reason}"
      };
      const zh = {
        [[key]]_TITLE: [[title_zh|quoted]],
        [[key]]_WELCOME: "这是您的页面：请编辑 frontend/src/Page.tsx。",
        [[key]]_LOADING: "正在请求后端……",
        [[key]]_FAILED: "后端没有响应：{reason}"
      };
      const HELLO = "/kapis/[[group]]/v1alpha1/hello";
      async function ask(signal) {
        const response = await fetch(HELLO, { headers: { Accept: "application/json" }, signal });
        const body = await response.json();
        if (!response.ok) throw new Error(body.message ?? String(response.status));
        return body.message ?? "";
      }
      function useAnswer() {
        const [answer, setAnswer] = useState({ error: "" });
        useEffect(() => {
          const controller = new AbortController();
          ask(controller.signal).then(
            (message) => setAnswer({ message, error: "" }),
            (error) => controller.signal.aborted || setAnswer({ error: error.message })
          );
          return () => controller.abort();
        }, []);
        return answer;
      }
      function Page() {
        const { message, error } = useAnswer();
        return /* @__PURE__ */ React.createElement("section", { "data-testid": "[[name]]", style: { padding: "2rem" } }, /* @__PURE__ */ React.createElement("h1", null, t("[[key]]_TITLE")), /* @__PURE__ */ React.createElement("p", null, t("[[key]]_WELCOME")), error ? /* @__PURE__ */ React.createElement("p", { role: "alert" }, t("[[key]]_FAILED", { reason: error })) : /* @__PURE__ */ React.createElement("p", null, message ?? t("[[key]]_LOADING")));
      }
      const index = exports("default", {
        routes: [{ path: "/[[name]]", element: /* @__PURE__ */ React.createElement(Page, null) }],
        menus: [
          { parent: "global", name: "[[name]]", title: "[[key]]_TITLE", icon: "group", link: "/[[name]]", order: 100, skipAuth: true }
        ],
        locales: { en, zh }
      });
    })
  };
}));
