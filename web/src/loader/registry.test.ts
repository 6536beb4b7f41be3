import { describe, expect, it, vi } from 'vitest';
import { t } from '../i18n';
import { readConfig } from './contract';
import { Registry } from './registry';
import { bundleNamed } from './testBundle';

describe('Registry', () => {
  it('gives a new snapshot for every change and the same one between changes', () => {
    const registry = new Registry();
    const told = vi.fn();
    const stop = registry.subscribe(told);
    const before = registry.snapshot();
    registry.add(bundleNamed('b'));
    registry.add(bundleNamed('a'));
    expect(told).toHaveBeenCalledTimes(2);
    expect(registry.snapshot()).not.toBe(before);
    expect(registry.snapshot()).toBe(registry.snapshot());
    expect(registry.snapshot().map(({ bundle }) => bundle.name)).toEqual(['a', 'b']);
    stop();
    registry.remove('a');
    expect(told).toHaveBeenCalledTimes(2);
  });

  it('takes away all that a bundle contributed when it goes', () => {
    const registry = new Registry();
    const bundle = bundleNamed('a');
    registry.add(bundle);
    registry.contribute(bundle, readConfig({ routes: [{ path: '/a' }], locales: { en: { HELLO: 'Hello' } } }));
    expect(t('HELLO')).toBe('Hello');
    registry.remove('a');
    expect(registry.snapshot()).toEqual([]);
    expect(t('HELLO')).toBe('HELLO');
  });

  it('refuses what comes from a version that was replaced meanwhile', () => {
    const registry = new Registry();
    registry.add(bundleNamed('a', { digest: 'sha256-2' }));
    expect(registry.contribute(bundleNamed('a'), readConfig({ routes: [{ path: '/old' }] }))).toBe(false);
    expect(registry.get('a')?.contribution.routes).toEqual([]);
  });

  it('adds up several registrations of one bundle', () => {
    const registry = new Registry();
    const bundle = bundleNamed('a');
    registry.add(bundle);
    registry.contribute(bundle, readConfig({ routes: [{ path: '/a' }] }));
    registry.contribute(bundle, readConfig({ routes: [{ path: '/b' }] }));
    expect(registry.get('a')?.contribution.routes).toHaveLength(2);
  });

  it('has the entries of an ExtensionEntry before the bundle is loaded', () => {
    const registry = new Registry();
    registry.add(bundleNamed('a', { entries: [{ name: 'e', parent: 'global' }] }));
    expect(registry.get('a')?.entries?.[0]?.name).toBe('e');
  });
});
