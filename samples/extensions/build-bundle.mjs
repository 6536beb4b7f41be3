// Turns a small ES module into a System.register bundle:  node build-bundle.mjs SOURCE OUTPUT
//
// The console gives a bundle its React, so a bundle must not carry its own: imports become the dependencies of
// System.register, and the setters copy exactly the names that the source uses. This script knows static imports and
// one default export, which is all the samples need, and it needs nothing but node. Larger front ends use a bundler.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import vm from "node:vm";

const IMPORT = /^import\s+(?:([\w$]+)\s*,?\s*)?(?:\{([^}]*)\}\s*)?(?:from\s+)?["']([^"']+)["'];?[ \t]*$/gm;

function readImports(source) {
  return [...source.matchAll(IMPORT)].map(([, whole, named, module]) => ({
    module,
    names: [
      ...(whole ? [["default", whole]] : []),
      ...(named ?? "").split(",").map((name) => name.trim()).filter(Boolean).map((name) => {
        const [imported, local = imported] = name.split(/\s+as\s+/);
        return [imported, local];
      }),
    ],
  }));
}

function indent(text, depth) {
  return text.replace(/^(?=.)/gm, "  ".repeat(depth));
}

function toSystem(source) {
  const imports = readImports(source);
  const locals = imports.flatMap(({ names }) => names.map(([, local]) => local));
  const setters = imports.map(({ names }) =>
    `function (m) { ${names.map(([imported, local]) => `${local} = m.${imported};`).join(" ")} }`);
  const body = source.replace(IMPORT, "").replace(/\n{3,}/g, "\n\n").replace(/^export default (.*?);\s*$/ms, 'exports("default", $1);').trim();
  if (/^(import|export)\b/m.test(body)) throw new Error("only static imports and `export default ...;` are understood");
  return [
    `System.register([${imports.map(({ module }) => JSON.stringify(module)).join(", ")}], function (exports) {`,
    `  "use strict";`,
    ...(locals.length ? [`  var ${locals.join(", ")};`] : []),
    `  return {`,
    `    setters: [${setters.join(", ")}],`,
    `    execute: function () {`,
    indent(body, 3),
    `    },`,
    `  };`,
    `});`,
    ``,
  ].join("\n");
}

const [source, output] = process.argv.slice(2);
if (!source || !output) {
  console.error("usage: node build-bundle.mjs SOURCE OUTPUT");
  process.exit(2);
}
const bundle = toSystem(readFileSync(source, "utf8"));
new vm.Script(bundle, { filename: output }); // a syntax error stops here, not in somebody's browser
mkdirSync(dirname(output), { recursive: true });
writeFileSync(output, bundle);
console.log(`${output}: ${bundle.length} characters`);
