// Writes the modules that the console gives to bundles, with their exports, to src/dovetail/packaging/console_modules.json:
// what `ksbuilder check` holds the imports of bundles against. Run it in the checkout after `npm ci` in web/, when
// web/src/loader/shared.ts or a version in web/package.json changes:
//
//     node scripts/list_console_modules.mjs
//
// An empty list means "any name": the icons are thousands.
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(join(root, 'web', 'package.json'));
const shared = readFileSync(join(root, 'web/src/loader/shared.ts'), 'utf8');
const LARGE = new Set(['@kubed/icons']);
const SAME_AS = { 'react-router-dom': ['react-router'], 'react-dom': ['react-dom', 'react-dom/client'] };

const names = [...shared.matchAll(/^\s+'?([@\w/-]+)'?: \(\) =>/gm)].map((match) => match[1]);
const exportsOf = (name) => {
  try {
    return Object.keys(require(name));
  } catch {
    const entry = readFileSync(require.resolve(name), 'utf8');
    return [...entry.matchAll(/exports\.([A-Za-z_$][\w$]*)\s*=/g)].map((match) => match[1]);
  }
};
const modules = {};
for (const name of names.sort()) {
  const found = LARGE.has(name) ? [] : (SAME_AS[name] ?? [name]).flatMap(exportsOf);
  modules[name] = [...new Set(LARGE.has(name) ? [] : [...found, 'default', '__esModule'])].sort();
}
const target = join(root, 'src/dovetail/packaging/console_modules.json');
writeFileSync(target, `${JSON.stringify(modules, null, 1)}\n`);
console.log(Object.entries(modules).map(([name, list]) => `${name}: ${list.length}`).join('\n'));
