import { describe, expect, it } from 'vitest';
import type { Extension, ExtensionVersion, InstallPlan } from '../../api/kubernetes';
import { catalogue, categories, localised, matching, planMessage, planState } from './catalogue';
import { compareVersions } from './semver';

const extension = (name: string, more: Partial<Extension> = {}): Extension => ({
  metadata: { name, labels: { 'kubesphere.io/category': 'tools' } },
  spec: { displayName: { en: `The ${name}`, zh: `${name} 组件` }, description: { en: 'It does things' } },
  ...more,
});
const version = (name: string, value: string): ExtensionVersion => ({
  metadata: { name: `${name}-${value}`, labels: { 'kubesphere.io/extension-ref': name } },
  spec: { version: value },
});
const plan = (name: string, value: string, state: string, enabled = true): InstallPlan => ({
  metadata: { name },
  spec: { extension: { name, version: value }, enabled },
  status: { state, version: value },
});

it('sorts versions as semver does', () => {
  const sorted = ['1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-beta', '1.0.0-rc.1', '1.0.0', 'v1.2', '1.10.0', '2'];
  expect([...sorted].reverse().sort(compareVersions)).toEqual(sorted);
  expect(compareVersions('nonsense', '0.0.1')).toBeLessThan(0);
  expect(compareVersions('1.0.0+a', '1.0.0+b')).toBe(0);
});

describe('catalogue', () => {
  const versions = [version('a', '0.9.0'), version('a', '0.10.0'), version('b', '1.0.0')];

  it('shows what is not installed with its newest version', () => {
    const [item] = catalogue([extension('a')], versions, [], 'en');
    expect(item).toMatchObject({ title: 'The a', state: 'Available', recommendedVersion: '0.10.0', update: '', plannedVersion: '' });
    expect(item?.versions.map((choice) => choice.version)).toEqual(['0.10.0', '0.9.0']);
  });

  it('offers an update of what is installed', () => {
    const [item] = catalogue([extension('a')], versions, [plan('a', '0.9.0', 'Installed')], 'en');
    expect(item).toMatchObject({ state: 'Installed', installedVersion: '0.9.0', update: '0.10.0', enabled: true });
  });

  it('speaks the user\'s language where the extension does', () => {
    expect(catalogue([extension('a')], versions, [], 'zh')[0]?.title).toBe('a 组件');
    expect(localised({ fr: 'oui' }, 'en')).toBe('oui');
    expect(localised('plain', 'zh')).toBe('plain');
    expect(localised(undefined, 'en')).toBe('');
  });

  it('finds by words, category and installation', () => {
    const items = catalogue([extension('a'), extension('b')], versions, [plan('b', '1.0.0', 'Installed')], 'en');
    expect(matching(items, 'the B', null, false).map(({ name }) => name)).toEqual(['b']);
    expect(matching(items, '', 'other', false)).toEqual([]);
    expect(matching(items, '', 'tools', true).map(({ name }) => name)).toEqual(['b']);
    expect(categories(items, [], 'en')).toEqual([{ name: 'tools', title: 'tools', count: 2 }]);
  });
});

describe('planState', () => {
  it.each([
    ['Installing', true, 'Installing'], ['', true, 'Pending'], ['Strange', true, 'Pending'], ['Installed', true, 'Installed'],
    ['Installed', false, 'Disabled'], ['UpgradeFailed', false, 'UpgradeFailed'],
  ])('reads %s, enabled %s as %s', (state, enabled, expected) => {
    expect(planState(plan('a', '1', state, enabled))).toBe(expected);
  });

  it('knows that a plan which is being deleted is on its way out', () => {
    const leaving = { ...plan('a', '1', 'Installed'), metadata: { name: 'a', deletionTimestamp: 'now' } };
    expect(planState(leaving)).toBe('Uninstalling');
    expect(planState(undefined)).toBe('Available');
  });
});

it('says why it failed: the newest condition that is false', () => {
  const failed: InstallPlan = {
    ...plan('a', '1', 'InstallFailed'),
    status: {
      state: 'InstallFailed',
      conditions: [
        { type: 'Installed', status: 'False', message: 'old', lastTransitionTime: '2026-01-01T00:00:00Z' },
        { type: 'Initialized', status: 'True', message: 'fine', lastTransitionTime: '2026-01-03T00:00:00Z' },
        { type: 'Installed', status: 'False', message: 'image not found', lastTransitionTime: '2026-01-02T00:00:00Z' },
      ],
    },
  };
  expect(planMessage(failed, 'InstallFailed')).toBe('image not found');
  expect(planMessage(failed, 'Installed')).toBe('');
  expect(planMessage(undefined, 'Available')).toBe('');
});
