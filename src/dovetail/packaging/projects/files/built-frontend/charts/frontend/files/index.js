System.register(["react"], (function(exports, module) {
  "use strict";
  var React;
  return {
    setters: [(module2) => {
      React = module2.default;
    }],
    execute: (function() {
      const en = {
        [[key]]_TITLE: [[title|quoted]],
        [[key]]_WELCOME: "This page is yours: edit frontend/src/Page.tsx."
      };
      const zh = {
        [[key]]_TITLE: [[title_zh|quoted]],
        [[key]]_WELCOME: "这是您的页面：请编辑 frontend/src/Page.tsx。"
      };
      function Page() {
        return /* @__PURE__ */ React.createElement("section", { "data-testid": "[[name]]", style: { padding: "2rem" } }, /* @__PURE__ */ React.createElement("h1", null, t("[[key]]_TITLE")), /* @__PURE__ */ React.createElement("p", null, t("[[key]]_WELCOME")));
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
