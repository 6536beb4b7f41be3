System.register(["react"], function (exports) {
  "use strict";
  var React, useEffect, useState;
  return {
    setters: [function (m) { React = m.default; useEffect = m.useEffect; useState = m.useState; }],
    execute: function () {
      // The page of the greeter, 0.2.0. It is a default export, the form that consoles recommend today. React is the console's
      // own.

      const GREETINGS = "/kapis/greeter.dovetail.dev/v1alpha1/greetings";
      const h = React.createElement;

      async function fetchGreetings(signal) {
        const response = await fetch(GREETINGS, { credentials: "same-origin", headers: { Accept: "application/json" }, signal });
        const body = await response.json();
        if (!response.ok) throw new Error(body.message || `the answer was ${response.status}`);
        return body;
      }

      function Greetings() {
        const [state, setState] = useState({ list: null, error: "" });
        useEffect(() => {
          const controller = new AbortController();
          fetchGreetings(controller.signal)
            .then((list) => setState({ list, error: "" }))
            .catch((error) => controller.signal.aborted || setState({ list: null, error: error.message }));
          return () => controller.abort();
        }, []);
        if (state.error) return h("p", { role: "alert", "data-testid": "greeter-error" }, `No greetings: ${state.error}`);
        if (!state.list) return h("p", { role: "status" }, "…");
        return h(
          "section",
          { "data-testid": "greeter", style: { padding: "2rem" } },
          h("h1", null, "Greetings, now two of them"),
          h("ul", null, state.list.items.map(({ message }) => h("li", { key: message, "data-testid": "greeting" }, message))),
          h("p", { "data-testid": "greeter-version" }, `Greeter 0.2.0, answered by backend ${state.list.version}`),
        );
      }

      exports("default", {
        routes: [{ path: "/greetings", element: h(Greetings) }],
        menus: [
          { parent: "global", name: "greeter", title: "Greetings", icon: "group", link: "/greetings", order: 0, skipAuth: true },
        ],
        locales: { en: { GREETER: "Greeter" }, zh: { GREETER: "问候" } },
      });
    },
  };
});
