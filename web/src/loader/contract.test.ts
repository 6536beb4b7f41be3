import { describe, expect, it } from 'vitest';
import { merge, readConfig, readMenus, unwrap } from './contract';

describe('readConfig', () => {
  it('reads routes, menus and locales', () => {
    const element = 'page';
    const read = readConfig({
      routes: [{ path: '/a', element, children: [{ index: true, element }, { path: 'b', element }] }],
      menus: [{ parent: 'global', name: 'a', title: 'A', icon: 'cluster', order: 2, children: [{ name: 'b' }] }],
      locales: { en: { A: 'Alpha' } },
    });
    expect(read.problems).toEqual([]);
    expect(read.routes[0]?.children).toEqual([{ index: true, element }, { path: 'b', element }]);
    expect(read.menus[0]).toMatchObject({ parent: 'global', name: 'a', title: 'A', order: 2 });
    expect(read.menus[0]?.children[0]).toMatchObject({ parent: '', name: 'b', title: 'b' });
  });

  it.each([undefined, null, 7, 'text', [], () => 1])('turns %s into a problem, never an exception', (value) => {
    expect(readConfig(value).problems).toHaveLength(1);
  });

  it('keeps what is right and says what is wrong', () => {
    const read = readConfig({ routes: [{ path: '/a' }, null, {}], menus: [{}, { name: 'm', title: {} }], locales: 'no' });
    expect(read.routes).toHaveLength(1);
    expect(read.menus).toEqual([{ parent: '', name: 'm', title: 'm', children: [] }]);
    expect(read.problems).toHaveLength(3);
    expect(readConfig({ routes: { path: '/a' } }).problems).toEqual(['routes and menus must be lists']);
  });

  it('reads entries as menus', () => {
    expect(readMenus([{ name: 'a', link: '/x' }]).menus[0]?.link).toBe('/x');
  });
});

it('merges contributions, later texts after earlier ones', () => {
  const both = merge([readConfig({ locales: { en: { K: '1' } } }), readConfig({ locales: { en: [{ K: '2' }] }, routes: [{ path: '/a' }] })]);
  expect(both.locales.en).toEqual([{ K: '1' }, { K: '2' }]);
  expect(both.routes).toHaveLength(1);
});

describe('unwrap', () => {
  const config = { routes: [] };
  it.each([
    ['an object', config],
    ['a promise', Promise.resolve(config)],
    ['a function', () => config],
    ['a function that returns a promise', async () => Promise.resolve(config)],
  ])('takes %s', async (_, exported) => {
    expect(await unwrap(exported)).toBe(config);
  });

  it('passes a rejection on', async () => {
    await expect(unwrap(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  });
});
