import { renderToString } from 'react-dom/server';
import { beforeAll, expect, test } from 'vitest';
import extension from './index';
import { en } from './locales/en';
import { zh } from './locales/zh';

beforeAll(() => {
  (globalThis as { t?: unknown }).t = (key: string) => key;
});

test('the page shows its title', () => {
  expect(renderToString(extension.routes[0]!.element)).toContain('[[key]]_TITLE');
});

test('the menu leads to the page', () => {
  expect(extension.menus[0]!.link).toBe(extension.routes[0]!.path);
});

test('both languages have the same texts', () => {
  expect(Object.keys(zh)).toEqual(Object.keys(en));
});
