import { afterEach, expect, it, vi } from 'vitest';
import { IMMEDIATE, namespaceOf, providedModules } from './shared';
import { attribute, currentBundle, runAs, UnknownModule } from './system';
import { bundleNamed } from './testBundle';

afterEach(() => vi.restoreAllMocks());

it('runs a bundle in its own name, and only while it runs', () => {
  const bundle = bundleNamed('a');
  let during: unknown = null;
  const [, declare] = attribute([[], () => ({ execute: () => (during = currentBundle()) })], bundle, { missing: () => undefined, dependencies: () => undefined });
  declare(() => undefined, {}).execute?.();
  expect(during).toBe(bundle);
  expect(currentBundle()).toBeNull();
});

it('is nobody again after a bundle that throws', () => {
  expect(() => runAs(bundleNamed('a'), () => { throw new Error('x'); })).toThrow('x');
  expect(currentBundle()).toBeNull();
});

it('notes the names that a bundle reads and the module does not have', () => {
  const missing = vi.fn();
  const dependencies = vi.fn();
  const bundle = bundleNamed('a');
  const copied: Record<string, unknown> = {};
  const setter = (m: Record<string, unknown>): void => {
    copied.default = m.default;
    copied.useState = m.useState;
    copied.useMagic = m.useMagic;
  };
  const [, declare] = attribute([['react'], () => ({ setters: [setter] })], bundle, { missing, dependencies });
  declare(() => undefined, {}).setters?.[0]?.(namespaceOf({ useState: 1 }));
  expect(dependencies.mock.calls).toEqual([[bundle, ['react']]]);
  expect(copied.useState).toBe(1);
  expect(missing.mock.calls).toEqual([[bundle, 'react.useMagic']]);
});

it('gives every namespace an enumerable default, and keeps one that is there', () => {
  expect(Object.keys(namespaceOf({ a: 1 }))).toContain('default');
  expect(namespaceOf({ a: 1 }).default).toEqual({ a: 1 });
  expect(namespaceOf({ default: 7 }).default).toBe(7);
});

it('gives react-dom as a whole, by name and by default', () => {
  const dom = IMMEDIATE['react-dom']?.() as Record<string, unknown> & { default: Record<string, unknown> };
  for (const name of ['createPortal', 'flushSync', 'createRoot']) {
    expect(dom[name]).toBeTypeOf('function');
    expect(dom.default[name]).toBe(dom[name]);
  }
});

it('names the module that is not there and those that are', () => {
  const { message } = new UnknownModule('left-pad');
  expect(message).toContain('"left-pad"');
  for (const name of ['react', 'react-router-dom', 'styled-components', 'react-query']) expect(message).toContain(name);
  expect(providedModules()).toContain('@kubed/components');
});
