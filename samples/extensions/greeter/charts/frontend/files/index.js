System.register(["react"], function (exports) {
  "use strict";
  var React;
  return {
    setters: [function (m) { React = m.default; }],
    execute: function () {
      // The page of the greeter, 0.1.0. It registers itself as a side effect (`globals.context.registerExtension`), the older
      // of the two forms that a console understands; 0.2.0 shows the newer one. React is the console's own.

      const GREETINGS = "/kapis/greeter.dovetail.dev/v1alpha1/greetings";
      const h = React.createElement;

      async function fetchGreetings(signal) {
        const response = await fetch(GREETINGS, { credentials: "same-origin", headers: { Accept: "application/json" }, signal });
        const body = await response.json();
        if (!response.ok) throw new Error(body.message || `the answer was ${response.status}`);
        return body;
      }

      function Greetings() {
        const [state, setState] = React.useState({ list: null, error: "" });
        React.useEffect(() => {
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
          h("h1", { style: { fontSize: "1.6rem", fontWeight: 700, marginBottom: "1rem" } }, "Greetings"),
          h("ul", null, state.list.items.map(({ message }) => h("li", { key: message, "data-testid": "greeting" }, message))),
          h("p", { "data-testid": "greeter-version" }, `Greeter 0.1.0, answered by backend ${state.list.version}`),
        );
      }

      globals.context.registerExtension({
        routes: [{ path: "/greetings", element: h(Greetings) }],
        menus: [
          { parent: "global", name: "greeter", title: "Greetings", icon: "group", link: "/greetings", order: 0, skipAuth: true },
        ],
        locales: { en: { GREETER: "Greeter" }, zh: { GREETER: "问候" } },
      });
    },
  };
});
