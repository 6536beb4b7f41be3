/** From the cluster's objects to what the extension centre shows. Pure: objects in, items out. */
import type { Category, Condition, Extension, ExtensionVersion, InstallPlan, Localised } from '../../api/kubernetes';
import type { Language, TextKey } from '../../i18n';
import { compareVersions } from './semver';

const EXTENSION_REF = 'kubesphere.io/extension-ref';
const CATEGORY = 'kubesphere.io/category';

export type DisplayState =
  | 'Available' | 'Pending' | 'Preparing' | 'Installing' | 'Upgrading' | 'Uninstalling' | 'Installed' | 'Disabled'
  | 'Uninstalled' | 'InstallFailed' | 'UpgradeFailed' | 'UninstallFailed';

export interface VersionChoice {
  readonly version: string;
  readonly kubeVersion: string;
  readonly ksVersion: string;
}

export interface CatalogueItem {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly provider: string;
  readonly category: string;
  readonly icon: string;
  /** Newest first. */
  readonly versions: readonly VersionChoice[];
  readonly state: DisplayState;
  /** The version the plan asks for; empty without a plan. */
  readonly plannedVersion: string;
  readonly installedVersion: string;
  readonly recommendedVersion: string;
  /** A newer version than the installed one, or empty. */
  readonly update: string;
  readonly enabled: boolean;
  /** What the controller says about a failure, or about what it is doing. */
  readonly message: string;
}

export interface CategoryChoice {
  readonly name: string;
  readonly title: string;
  readonly count: number;
}

export function localised(value: Localised, language: Language): string {
  if (value === undefined || typeof value === 'string') return value ?? '';
  return value[language] ?? value[`${language}-CN`] ?? value.en ?? value.zh ?? Object.values(value)[0] ?? '';
}

const providerOf = (extension: Extension, language: Language): string => {
  const providers = extension.spec?.provider ?? {};
  return (providers[language] ?? providers.en ?? Object.values(providers)[0])?.name ?? '';
};

const BUSY: ReadonlySet<DisplayState> = new Set(['Pending', 'Preparing', 'Installing', 'Upgrading', 'Uninstalling']);
const FAILED: ReadonlySet<DisplayState> = new Set(['InstallFailed', 'UpgradeFailed', 'UninstallFailed']);
const STATES: ReadonlySet<string> = new Set<DisplayState>([
  ...BUSY, ...FAILED, 'Installed', 'Disabled', 'Uninstalled',
]);

export const isBusy = (state: DisplayState): boolean => BUSY.has(state);
export const isFailed = (state: DisplayState): boolean => FAILED.has(state);
export const stateText = (state: DisplayState): TextKey => `state${state}`;

export function planState(plan: InstallPlan | undefined): DisplayState {
  if (plan === undefined) return 'Available';
  const state = plan.status?.state ?? '';
  if (plan.metadata.deletionTimestamp !== undefined && !state.startsWith('Uninstall')) return 'Uninstalling';
  if (state === 'Installed' && plan.spec?.enabled === false) return 'Disabled';
  return STATES.has(state) ? (state as DisplayState) : 'Pending';
}

const newest = (a: Condition, b: Condition): number => (b.lastTransitionTime ?? '').localeCompare(a.lastTransitionTime ?? '');

/** The sentence that matters now: of the newest failed condition when something failed, of the newest one while busy. */
export function planMessage(plan: InstallPlan | undefined, state: DisplayState): string {
  const conditions = [...(plan?.status?.conditions ?? [])].sort(newest);
  const telling = isFailed(state) ? conditions.filter(({ status }) => status === 'False') : isBusy(state) ? conditions : [];
  const found = telling.find(({ message }) => (message ?? '') !== '') ?? telling[0];
  return found?.message || found?.reason || '';
}

function versionsOf(extension: Extension, versions: readonly ExtensionVersion[]): VersionChoice[] {
  const own = versions
    .filter(({ metadata }) => metadata.labels?.[EXTENSION_REF] === extension.metadata.name && !metadata.deletionTimestamp)
    .map(({ spec }) => ({ version: spec?.version ?? '', kubeVersion: spec?.kubeVersion ?? '', ksVersion: spec?.ksVersion ?? '' }));
  const listed = (extension.status?.versions ?? []).map(({ version }) => ({ version, kubeVersion: '', ksVersion: '' }));
  const known = new Map([...listed, ...own].filter(({ version }) => version !== '').map((choice) => [choice.version, choice]));
  return [...known.values()].sort((a, b) => compareVersions(b.version, a.version));
}

function toItem(extension: Extension, versions: readonly ExtensionVersion[], plan: InstallPlan | undefined, language: Language): CatalogueItem {
  const { name, labels } = extension.metadata;
  const state = planState(plan);
  const choices = versionsOf(extension, versions);
  const newestVersion = choices[0]?.version ?? '';
  const recommended = extension.status?.recommendedVersion || newestVersion;
  const installed = plan === undefined ? '' : plan.status?.version || extension.status?.installedVersion || '';
  return {
    name,
    title: localised(extension.spec?.displayName, language) || name,
    description: localised(extension.spec?.description, language),
    provider: providerOf(extension, language),
    category: labels?.[CATEGORY] ?? '',
    icon: extension.spec?.icon ?? '',
    versions: choices,
    state,
    plannedVersion: plan?.spec?.extension?.version ?? '',
    installedVersion: installed,
    recommendedVersion: recommended,
    update: installed !== '' && compareVersions(recommended, installed) > 0 ? recommended : '',
    enabled: plan?.spec?.enabled ?? false,
    message: planMessage(plan, state),
  };
}

export function catalogue(
  extensions: readonly Extension[],
  versions: readonly ExtensionVersion[],
  plans: readonly InstallPlan[],
  language: Language,
): CatalogueItem[] {
  const planOf = new Map(plans.map((plan) => [plan.spec?.extension?.name ?? plan.metadata.name, plan]));
  return extensions
    .map((extension) => toItem(extension, versions, planOf.get(extension.metadata.name), language))
    .sort((a, b) => a.title.localeCompare(b.title, language));
}

export function categories(items: readonly CatalogueItem[], known: readonly Category[], language: Language): CategoryChoice[] {
  const counts = new Map<string, number>();
  for (const { category } of items) counts.set(category, (counts.get(category) ?? 0) + 1);
  const titles = new Map(known.map((category) => [category.metadata.name, localised(category.spec?.displayName, language)]));
  return [...counts]
    .map(([name, count]) => ({ name, title: titles.get(name) || name, count }))
    .sort((a, b) => (a.name === '' ? 1 : b.name === '' ? -1 : a.title.localeCompare(b.title, language)));
}

export function matching(items: readonly CatalogueItem[], words: string, category: string | null, installedOnly: boolean): CatalogueItem[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return items.filter((item) => {
    const haystack = `${item.name} ${item.title} ${item.description} ${item.provider}`.toLowerCase();
    return (
      wanted.every((word) => haystack.includes(word)) &&
      (category === null || item.category === category) &&
      (!installedOnly || item.state !== 'Available')
    );
  });
}
