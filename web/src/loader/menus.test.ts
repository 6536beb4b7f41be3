import { expect, it } from 'vitest';
import { readConfig } from './contract';
import { hiddenMenus, navEntries, target } from './menus';
import { freshRecord, type BundleRecord } from './registry';
import { bundleNamed } from './testBundle';

const record = (name: string, config: unknown, more: object = {}): BundleRecord => ({
  ...freshRecord(bundleNamed(name, more)),
  contribution: readConfig(config),
});
const item = (link?: string) => ({ parent: 'global', name: 'n', title: 'N', children: [], ...(link === undefined ? {} : { link }) });

it.each([
  [undefined, '/n', false],
  ['/custom/page', '/custom/page', false],
  ['relative/page', '/relative/page', false],
  ['https://example.org/x', 'https://example.org/x', true],
  ['javascript:alert(1)', '/n', false],
  ['//evil.example', '/n', false],
  ['/\\evil.example', '/n', false],
  ['data:text/html,x', '/n', false],
])('leads link %s to %s', (link, href, external) => {
  expect(target(item(link))).toEqual({ href, external });
});

it('orders by order, then by extension and place, and shows global and topbar alike', () => {
  const entries = navEntries([
    record('b', { menus: [{ parent: 'global', name: 'late' }, { parent: 'topbar', name: 'first', order: 0 }] }),
    record('c', { menus: [{ parent: 'global', name: 'later' }, { parent: 'global', name: 'second', order: 1 }] }),
  ]);
  expect(entries.map(({ title }) => title)).toEqual(['first', 'second', 'late', 'later']);
});

it('lets the entries of an ExtensionEntry replace the menus of the bundle', () => {
  const menus = [{ parent: 'global', name: 'from-bundle' }];
  const entries = [{ parent: 'global', name: 'from-entry' }];
  expect(navEntries([record('a', { menus }, { entries })]).map(({ title }) => title)).toEqual(['from-entry']);
  expect(navEntries([record('a', { menus }, { entries: [] })])).toEqual([]);
});

it('keeps equal names of two extensions apart', () => {
  const menus = [{ parent: 'global', name: 'same', title: 'T' }];
  const [one, two] = navEntries([
    record('a', { menus, locales: { en: { T: 'One' } } }),
    record('b', { menus, locales: { en: { T: 'Two' } } }),
  ]);
  expect(one?.id).not.toBe(two?.id);
  expect([one?.title, two?.title]).toEqual(['One', 'Two']);
});

it('says which items have no place here', () => {
  const menus = [{ parent: 'cluster.monitoring', name: 'x' }, { name: 'y' }, { parent: 'global', name: 'z' }];
  expect(hiddenMenus(readConfig({ menus }).menus)).toEqual([
    'menu "x": this console has no area "cluster.monitoring"',
    'menu "y": this console has no area "(none)"',
  ]);
});
