/**
 * `window.globals`, `window.t`: what bundles find in the page (reference: console.md 1.5, 2.2).
 *
 * `globals.context` must be there before the first bundle runs, because older bundles register as a side effect. Who
 * registered is known from the loader's marker; a registration that comes later, from a timer or a promise, has no
 * owner and is refused with a message, as nothing could ever take it away again.
 */
import type { Boot, BootExtension } from '../api/boot';
import { t, type Locales } from '../i18n';
import { readConfig } from './contract';
import { registry } from './registry';
import { currentBundle } from './system';

export interface RegistrationContext {
  readonly routes: readonly unknown[];
  readonly locales: Readonly<Record<string, unknown>>;
  registerExtension(config: unknown, options?: unknown): void;
  registerExtensions(configs: unknown, options?: unknown): void;
  registerLocales(locales: unknown): void;
}

const NO_OWNER =
  'Dovetail: a registration came when no bundle was being loaded, so it belongs to none and is ignored. ' +
  'Register while the module runs, or export the configuration (or a promise of it) as default.';

function register(config: unknown, bundle: BootExtension | null = currentBundle()): void {
  if (bundle === null) console.error(NO_OWNER);
  else registry.contribute(bundle, readConfig(config));
}

export function createContext(): RegistrationContext {
  return {
    get routes() {
      return registry.snapshot().flatMap(({ contribution }) => contribution.routes);
    },
    get locales() {
      return Object.assign({}, ...registry.snapshot().map(({ contribution }) => contribution.locales)) as Locales;
    },
    registerExtension: (config) => register(config),
    registerExtensions: (configs) => {
      for (const config of Array.isArray(configs) ? (configs as unknown[]) : [configs]) register(config);
    },
    registerLocales: (locales) => register({ locales }),
  };
}

/** The user as bundles know it. Rule maps are empty until roles reach the front end; servers decide in any case. */
function legacyUser(boot: Boot, lang: string): Record<string, unknown> {
  return {
    username: boot.user.username,
    groups: boot.user.groups,
    email: '',
    lang,
    globalrole: '',
    globalRules: {},
    grantedClusters: [],
    workspaces: [],
    clusters: [],
    uninitialized: false,
  };
}

function legacyConfig(boot: Boot): Record<string, unknown> {
  const navs = ['topbar', 'global', 'access', 'cluster', 'workspace', 'project', 'platformSettings', 'toolbox', 'devops'];
  return {
    title: boot.config.title,
    version: boot.config.version,
    homePage: '/dashboard',
    supportLangs: boot.config.languages.map((value) => ({ value, label: value })),
    defaultLang: boot.config.defaultLanguage,
    documents: {},
    ...Object.fromEntries(navs.map((name) => [`${name}Navs`, []])),
  };
}

const extensionModules = (boot: Boot): Record<string, unknown> =>
  Object.fromEntries(boot.extensions.map(({ extensionName }) => [extensionName, { status: 'Enabled', annotations: {} }]));

/** Puts the globals into the page, or refreshes them when the boot document changed. */
export function publishGlobals(boot: Boot, lang: string): void {
  const page = window as unknown as { globals?: Record<string, unknown>; t: typeof t };
  page.t = t;
  page.globals = {
    ...page.globals,
    config: legacyConfig(boot),
    ksConfig: {
      ksVersion: boot.config.version,
      multicluster: false,
      enabledExtensionModulesStatus: extensionModules(boot),
      ...Object.fromEntries(boot.extensions.map(({ extensionName }) => [extensionName, true])),
    },
    user: legacyUser(boot, lang),
    runtime: 'containerd',
    clusterRole: 'host',
    installedExtensions: boot.extensions,
    context: page.globals?.context ?? createContext(),
  };
}
