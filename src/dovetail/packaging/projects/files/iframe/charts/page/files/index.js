System.register(["react"], function (exports) {
  "use strict";
  var React;
  return {
    setters: [function (m) { React = m.default; }],
    execute: function () {
      // The page is a frame around /proxy/[[name]]/, which the gateway sends to the address in values.yaml.
      var frame = React.createElement("iframe", {
        title: "[[name]]", src: "/proxy/[[name]]/", "data-testid": "[[name]]",
        style: { border: 0, width: "100%", height: "calc(100vh - 8rem)" },
      });
      exports("default", {
        routes: [{ path: "/[[name]]", element: frame }],
        menus: [
          { parent: "global", name: "[[name]]", title: "[[key]]_TITLE", icon: "group", link: "/[[name]]", order: 100, skipAuth: true },
        ],
        locales: { en: { [[key]]_TITLE: [[title|quoted]] }, zh: { [[key]]_TITLE: [[title_zh|quoted]] } },
      });
    },
  };
});
