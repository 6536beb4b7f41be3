import { afterEach, beforeEach, expect, it } from 'vitest';
import { chooseLanguage, flatten, language, setExtensionLocales, setLanguage, t, text, textOf } from './index';
import { en } from './en';
import { zh } from './zh';

beforeEach(() => setLanguage('en'));
afterEach(() => setExtensionLocales([]));

it.each([
  ['zh', ['en'], 'zh'],
  [null, ['zh-CN', 'en'], 'zh'],
  [null, ['fr', 'zh'], 'zh'],
  [null, ['fr'], 'en'],
  ['xx', ['en-GB'], 'en'],
  [null, [], 'en'],
])('chooses from stored %s and preferred %s', (stored, preferred, expected) => {
  expect(chooseLanguage(stored, preferred)).toBe(expected);
});

it('has every text in both languages, with the same variables', () => {
  const variables = (value: string): string[] => [...value.matchAll(/\{(\w+)\}/g)].map((found) => found[1] ?? '').sort();
  for (const [key, value] of Object.entries(en)) expect(variables(zh[key as keyof typeof en]), key).toEqual(variables(value));
});

it('interpolates with single braces and does not escape, since React does', async () => {
  expect(text('welcome', { name: '<bob>' })).toBe('Welcome, <bob>');
  await setLanguage('zh');
  expect(language()).toBe('zh');
  expect(text('welcome', { name: 'bob' })).toContain('bob');
});

it('translates keys of extensions, falls back to English, and shows an unknown key as itself', async () => {
  setExtensionLocales([{ en: { GREET: 'Hello {name}', ONLY_EN: 'English' }, zh: { GREET: '你好 {name}' } }]);
  expect(t('GREET', { name: 'Bob' })).toBe('Hello Bob');
  await setLanguage('zh');
  expect(t('GREET', { name: 'Bob' })).toBe('你好 Bob');
  expect(t('ONLY_EN')).toBe('English');
  expect(t('NO_SUCH_KEY')).toBe('NO_SUCH_KEY');
  expect(t('a.b:c')).toBe('a.b:c');
  expect(t(undefined)).toBe('');
});

it('never lets an extension change what the console says', () => {
  setExtensionLocales([{ en: { logOut: 'Stay' } }]);
  expect(text('logOut')).toBe('Log out');
  expect(t('logOut')).toBe('Stay');
});

it('forgets the texts of extensions that are gone', () => {
  setExtensionLocales([{ en: { K: 'v' } }]);
  setExtensionLocales([]);
  expect(t('K')).toBe('K');
});

it('takes a list of maps for a language, and only texts', () => {
  expect(flatten({ en: [{ A: '1', B: 2 }, { A: '3' }] }, 'en')).toEqual({ A: '3' });
  expect(textOf({ en: { K: 'mine' } }, 'K')).toBe('mine');
  expect(textOf({}, 7)).toBe('');
});
