import { afterEach, expect, it, vi } from 'vitest';
import type { Boot } from '../api/boot';
import { createContext, publishGlobals } from './context';
import { registry } from './registry';
import { runAs } from './system';
import { bundleNamed } from './testBundle';

afterEach(() => {
  vi.restoreAllMocks();
  for (const { bundle } of registry.snapshot()) registry.remove(bundle.name);
});

const boot: Boot = {
  user: { username: 'bob', groups: [] },
  config: { title: 'T', version: '1', languages: ['en'], defaultLanguage: 'en' },
  token: '1',
  extensions: [bundleNamed('a')],
};

it('registers in the name of the bundle that runs', () => {
  const bundle = bundleNamed('a');
  registry.add(bundle);
  const context = createContext();
  runAs(bundle, () => context.registerExtensions([{ routes: [{ path: '/a' }] }, { menus: [{ name: 'm' }] }]));
  runAs(bundle, () => context.registerLocales({ en: { K: 'v' } }));
  expect(registry.get('a')?.contribution).toMatchObject({ routes: [{ path: '/a' }], menus: [{ name: 'm' }] });
  expect(context.routes).toHaveLength(1);
  expect(context.locales).toHaveProperty('en');
});

it('refuses a registration that belongs to nobody, and says so', () => {
  const told = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  createContext().registerExtension({ routes: [{ path: '/late' }] });
  expect(registry.snapshot()).toEqual([]);
  expect(told.mock.calls[0]?.[0]).toContain('belongs to none');
});

it('publishes the globals that bundles read, and keeps the context when they are refreshed', () => {
  publishGlobals(boot, 'en');
  const page = window as unknown as { globals: Record<string, Record<string, unknown>>; t: (key: string) => string };
  const { context } = page.globals;
  expect(page.globals.user?.username).toBe('bob');
  expect(page.globals.ksConfig?.a).toBe(true);
  expect(page.t('SOME_KEY')).toBe('SOME_KEY');
  publishGlobals({ ...boot, user: { username: 'eve', groups: [] } }, 'zh');
  expect(page.globals.context).toBe(context);
  expect(page.globals.user?.username).toBe('eve');
});
