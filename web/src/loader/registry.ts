/**
 * What every bundle contributed and what became of it: the one store that menus, routes, texts and diagnostics read.
 *
 * A record belongs to one bundle; taking a bundle away takes away all that it contributed. The snapshot is replaced,
 * never changed, so React can subscribe to it with useSyncExternalStore.
 */
import type { BootExtension } from '../api/boot';
import { setExtensionLocales } from '../i18n';
import { merge, readMenus, type Contribution, type MenuItem } from './contract';

export type BundleState = 'loading' | 'loaded' | 'failed';

export interface BundleRecord {
  readonly bundle: BootExtension;
  readonly state: BundleState;
  readonly contribution: Contribution;
  /** Menu items of ExtensionEntry objects; they replace those of the bundle and are there before it is loaded. */
  readonly entries: readonly MenuItem[] | null;
  readonly error: string;
  readonly milliseconds: number;
  /** Names of the modules that the bundle imports. */
  readonly dependencies: readonly string[];
  /** `module.export` names that the bundle reads and this console does not have. */
  readonly missing: readonly string[];
}

export type Snapshot = readonly BundleRecord[];

const EMPTY: Contribution = { routes: [], menus: [], locales: {}, problems: [] };

export function freshRecord(bundle: BootExtension): BundleRecord {
  const entries = bundle.entries === undefined ? null : readMenus(bundle.entries);
  return {
    bundle,
    state: 'loading',
    contribution: { ...EMPTY, problems: entries?.problems ?? [] },
    entries: entries?.menus ?? null,
    error: '',
    milliseconds: 0,
    dependencies: [],
    missing: [],
  };
}

export class Registry {
  private records = new Map<string, BundleRecord>();
  private current: Snapshot = [];
  private readonly listeners = new Set<() => void>();

  readonly snapshot = (): Snapshot => this.current;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  get(name: string): BundleRecord | undefined {
    return this.records.get(name);
  }

  add(bundle: BootExtension): void {
    this.records.set(bundle.name, freshRecord(bundle));
    this.publish();
  }

  remove(name: string): void {
    if (this.records.delete(name)) this.publish();
  }

  /** Changes the record of a bundle, if it is still the one with this digest; tells whether it was. */
  update(bundle: BootExtension, change: (record: BundleRecord) => Partial<BundleRecord>): boolean {
    const record = this.records.get(bundle.name);
    if (record?.bundle.digest !== bundle.digest) return false;
    this.records.set(bundle.name, { ...record, ...change(record) });
    this.publish();
    return true;
  }

  contribute(bundle: BootExtension, contribution: Contribution): boolean {
    return this.update(bundle, (record) => ({ contribution: merge([record.contribution, contribution]) }));
  }

  private publish(): void {
    this.current = [...this.records.values()].sort((a, b) => (a.bundle.name < b.bundle.name ? -1 : 1));
    setExtensionLocales(this.current.map(({ contribution }) => contribution.locales));
    for (const listener of [...this.listeners]) listener();
  }
}

/** The one registry of this page. */
export const registry = new Registry();
