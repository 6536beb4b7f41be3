/**
 * SystemJS, set up for foreign bundles: shared modules, attribution, missing-export detection, plain error messages.
 *
 * Four hooks do it. `resolve` names an unknown module instead of SystemJS' error number. `instantiate` satisfies `shared:`
 * ids with native import(), and wraps a bundle's registration: its setters get namespaces that note every name which is
 * not there, and its `execute` runs with the bundle as `current`, which is how a side-effect `registerExtension` is
 * known to belong to it even when many bundles load at once (execution is synchronous).
 */
import 'systemjs/dist/system.min.js';
import type { BootExtension } from '../api/boot';
import { IMMEDIATE, LAZY, namespaceOf, providedModules } from './shared';

type Setter = (namespace: Record<string, unknown>) => void;
interface Declared {
  setters?: (Setter | undefined)[];
  execute?: () => unknown;
}
type Declare = (exports: unknown, context: unknown) => Declared;
type Registration = [string[], Declare, ...unknown[]];

interface SystemLoader {
  import(id: string): Promise<Record<string, unknown>>;
  resolve(id: string, parent?: string): string;
  set(id: string, module: object): void;
  delete(id: string): unknown;
  addImportMap(map: { imports?: Record<string, string>; integrity?: Record<string, string> }): void;
  instantiate(url: string, parent: string, meta: unknown): Registration | Promise<Registration>;
}

export class UnknownModule extends Error {
  override readonly name = 'UnknownModule';

  constructor(readonly specifier: string) {
    super(`The bundle imports "${specifier}", which this console does not provide. It provides: ${providedModules().join(', ')}.`);
  }
}

export interface Watcher {
  /** Called with the names of the modules that a bundle imports, before it gets them. */
  dependencies(bundle: BootExtension, names: readonly string[]): void;
  /** Called for each name that a bundle reads from a shared module that does not have it: `module.name`. */
  missing(bundle: BootExtension, name: string): void;
}

const loader = (): SystemLoader => (window as unknown as { System: SystemLoader }).System;

let current: BootExtension | null = null;

/** The bundle whose code runs right now, if any. */
export const currentBundle = (): BootExtension | null => current;

const watched = new Map<string, { bundle: BootExtension; watcher: Watcher }>();

function noting(namespace: Record<string, unknown>, note: (name: string) => void): Record<string, unknown> {
  return new Proxy(namespace, {
    get(target, name, receiver) {
      if (typeof name === 'string' && !(name in target) && name !== '__esModule' && name !== 'then') note(name);
      return Reflect.get(target, name, receiver) as unknown;
    },
  });
}

/** Wraps a bundle's `declare` so that what it reads and registers can be attributed. Pure but for the marker. */
export function attribute(registration: Registration, bundle: BootExtension, watcher: Watcher): Registration {
  const [dependencies, declare, ...rest] = registration;
  watcher.dependencies(bundle, dependencies);
  const attributed: Declare = (exports, context) => {
    const declared = declare(exports, context);
    const setters = (declared.setters ?? []).map((setter, index): Setter | undefined =>
      setter && ((namespace) => setter(noting(namespace, (name) => watcher.missing(bundle, `${dependencies[index] ?? '?'}.${name}`)))),
    );
    const execute = declared.execute && ((): unknown => runAs(bundle, () => declared.execute?.()));
    return { ...declared, setters, ...(execute ? { execute } : {}) };
  };
  return [dependencies, attributed, ...rest];
}

/** Runs code in the name of a bundle. */
export function runAs<T>(bundle: BootExtension, code: () => T): T {
  const before = current;
  current = bundle;
  try {
    return code();
  } finally {
    current = before;
  }
}

const isBare = (specifier: string): boolean => !/^(\.{0,2}\/|[a-z][a-z0-9+.-]*:)/i.test(specifier);

let prepared = false;

/** Installs the hooks and the shared modules; safe to call more than once. */
export function prepare(): void {
  if (prepared) return;
  prepared = true;
  const system = loader();
  const hooks = Object.getPrototypeOf(system) as SystemLoader;
  const imports: Record<string, string> = {};
  for (const [name, make] of Object.entries(IMMEDIATE)) {
    imports[name] = `core:${name}`;
    system.set(`core:${name}`, make());
  }
  for (const name of Object.keys(LAZY)) imports[name] = `shared:${name}`;
  system.addImportMap({ imports });

  const { resolve, instantiate } = hooks;
  hooks.resolve = function (this: SystemLoader, id, parent): string {
    if (isBare(id) && !(id in imports)) throw new UnknownModule(id);
    return resolve.call(this, id, parent);
  };
  hooks.instantiate = async function (this: SystemLoader, url, parent, meta): Promise<Registration> {
    if (url.startsWith('shared:')) return sharedRegistration(url.slice('shared:'.length));
    const registration = await instantiate.call(this, url, parent, meta);
    const known = watched.get(url);
    return known ? attribute(registration, known.bundle, known.watcher) : registration;
  };
}

const fetched = new Map<string, Record<string, unknown>>();

/** A lazily provided module, if some bundle has asked for it. */
export const fetchedModule = (name: string): Record<string, unknown> | undefined => fetched.get(name);

async function sharedRegistration(name: string): Promise<Registration> {
  const load = LAZY[name];
  if (!load) throw new UnknownModule(name);
  const names = namespaceOf(await load());
  fetched.set(name, names);
  return [
    [],
    (exports) => {
      (exports as (names: object) => void)(names);
      return { execute: () => undefined };
    },
  ];
}

/** Imports a bundle by its URL, with its integrity enforced by the browser. */
export async function importBundle(bundle: BootExtension, watcher: Watcher): Promise<Record<string, unknown>> {
  prepare();
  const system = loader();
  const url = system.resolve(bundle.url);
  watched.set(url, { bundle, watcher });
  if (bundle.integrity) system.addImportMap({ integrity: { [url]: bundle.integrity } });
  return system.import(url);
}

/** Forgets a bundle's module, so that importing it again runs it again. */
export function forget(bundle: BootExtension): void {
  if (!prepared || bundle.url === '') return;
  const url = loader().resolve(bundle.url);
  watched.delete(url);
  loader().delete(url);
}
