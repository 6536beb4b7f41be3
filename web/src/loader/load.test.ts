import { expect, it } from 'vitest';
import { explain, plan } from './load';
import { bundleNamed } from './testBundle';

const [a, b, c] = [bundleNamed('a'), bundleNamed('b'), bundleNamed('c')];

it('adds what is new and removes what is gone', () => {
  expect(plan([a, b], [b, c])).toEqual({ add: [c], remove: [a] });
  expect(plan([a], [a])).toEqual({ add: [], remove: [] });
  expect(plan([], [])).toEqual({ add: [], remove: [] });
});

it.each([
  ['bytes', { digest: 'sha256-2', url: '/dist/a/index.js?sha256=2' }],
  ['entries', { entries: [{ name: 'e' }] }],
])('replaces a bundle with other %s', (_, change) => {
  const changed = bundleNamed('a', change);
  expect(plan([a], [changed])).toEqual({ add: [changed], remove: [a] });
});

it('leaves a bundle alone whose object merely has another version', () => {
  expect(plan([a], [bundleNamed('a', { resourceVersion: '9' })])).toEqual({ add: [], remove: [] });
});

it('turns the loader\'s error numbers into sentences and leaves an author\'s own words', () => {
  expect(explain(new Error('(SystemJS Error#3 https://...)'))).toContain('could not be fetched');
  expect(explain(new SyntaxError("Unexpected token 'export'"))).toContain('no System.register module');
  expect(explain(new Error('my own message'))).toBe('my own message');
  expect(explain('a string')).toBe('a string');
  expect(explain(new Error(''))).not.toBe('');
});
