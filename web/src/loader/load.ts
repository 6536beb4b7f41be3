/**
 * Keeping the loaded bundles equal to the list that the server gives: what is new is loaded, what is gone is taken
 * away, what changed is replaced. One bundle's failure is one record's `failed`; nothing waits for a slow one.
 */
import type { BootExtension } from '../api/boot';
import { readConfig, unwrap } from './contract';
import { registry } from './registry';
import { forget, importBundle, runAs, type Watcher } from './system';

export const LOAD_TIMEOUT_MS = 10_000;

export interface Plan {
  readonly add: readonly BootExtension[];
  readonly remove: readonly BootExtension[];
}

/** What to do to get from the loaded bundles to the wanted ones. A changed bundle or entry list is removed and added. */
export function plan(loaded: readonly BootExtension[], wanted: readonly BootExtension[]): Plan {
  const same = (a: BootExtension | undefined, b: BootExtension): boolean =>
    a?.url === b.url && a.digest === b.digest && JSON.stringify(a.entries) === JSON.stringify(b.entries);
  const byName = (list: readonly BootExtension[]): Map<string, BootExtension> => new Map(list.map((it) => [it.name, it]));
  const before = byName(loaded);
  const after = byName(wanted);
  return {
    add: [...after.values()].filter((bundle) => !same(before.get(bundle.name), bundle)),
    remove: [...before.values()].filter((bundle) => !same(after.get(bundle.name), bundle)),
  };
}

export function synchronise(wanted: readonly BootExtension[]): void {
  const { add, remove } = plan(
    registry.snapshot().map(({ bundle }) => bundle),
    wanted,
  );
  for (const bundle of remove) unload(bundle);
  for (const bundle of add) void load(bundle);
}

export function unload(bundle: BootExtension): void {
  forget(bundle);
  registry.remove(bundle.name);
  setStyle(bundle, null);
}

export async function retry(bundle: BootExtension): Promise<void> {
  unload(bundle);
  await load(bundle);
}

const watcher: Watcher = {
  dependencies: (bundle, names) => registry.update(bundle, () => ({ dependencies: names })),
  missing: (bundle, name) =>
    registry.update(bundle, ({ missing }) => (missing.includes(name) ? {} : { missing: [...missing, name] })),
};

/** Loads one bundle; resolves when it is loaded or failed. One that is late is failed, and recovers if it comes after all. */
export async function load(bundle: BootExtension, timeoutMs: number = LOAD_TIMEOUT_MS): Promise<void> {
  registry.add(bundle);
  const started = performance.now();
  const settle = (state: 'loaded' | 'failed', error = ''): void => {
    registry.update(bundle, () => ({ state, error, milliseconds: Math.round(performance.now() - started) }));
  };
  const timer = setTimeout(
    () => settle('failed', `The bundle was not loaded within ${timeoutMs / 1000} seconds.`),
    timeoutMs,
  );
  try {
    setStyle(bundle, bundle.styleLink ?? null);
    await register(bundle);
    settle('loaded');
  } catch (error) {
    settle('failed', explain(error));
  } finally {
    clearTimeout(timer);
  }
}

async function register(bundle: BootExtension): Promise<void> {
  if (bundle.url === '') return; // Menu entries without a front end: there is nothing to load.
  const module = await importBundle(bundle, watcher);
  const exported: unknown = module.default;
  // A module without exports has an empty namespace as its default in some webpack versions: only a real value counts.
  const value: unknown = await runAs(bundle, () => unwrap(exported));
  if (isConfig(value)) registry.contribute(bundle, readConfig(value));
  const record = registry.get(bundle.name);
  if (record?.bundle.digest === bundle.digest && isEmpty(record.contribution) && record.entries === null)
    throw new Error('The bundle ran, but registered nothing: no default export and no call of globals.context.registerExtension.');
}

const isConfig = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && ['routes', 'menus', 'locales'].some((key) => key in value);

const isEmpty = (contribution: { routes: unknown[]; menus: unknown[]; locales: object; problems: unknown[] }): boolean =>
  contribution.routes.length + contribution.menus.length + contribution.problems.length === 0 &&
  Object.keys(contribution.locales).length === 0;

/** What a browser says about an ES module in a classic script. */
const isModuleSyntax = (error: unknown): boolean =>
  error instanceof SyntaxError && /\b(export|import)\b/.test(error.message);

/** An error of a bundle in words that help its author. */
export function explain(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (message.includes('SystemJS') && message.includes('#3')) return 'The bundle could not be fetched, or its digest is wrong.';
  if ((message.includes('SystemJS') && message.includes('#2')) || isModuleSyntax(error))
    return `The file is no System.register module; build it with "library.type: system". (${message})`;
  return message || 'The bundle failed without a message.';
}

function setStyle(bundle: BootExtension, href: string | null): void {
  const id = `style-${bundle.name}`;
  document.getElementById(id)?.remove();
  if (href === null) return;
  const link = Object.assign(document.createElement('link'), { id, rel: 'stylesheet', href });
  document.head.append(link);
}
