/** The platform's objects as the Kubernetes API serves them, as far as the pages read them; always asked for as the user. */
import { json, mergePatch, post, remove } from './http';

/** Language -> text; a plain string is taken for every language. */
export type Localised = string | Record<string, string> | undefined;

export interface Meta {
  name: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  generation?: number;
}

export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export interface Extension {
  metadata: Meta;
  spec?: {
    displayName?: Localised;
    description?: Localised;
    icon?: string;
    provider?: Record<string, { name?: string; url?: string; email?: string }>;
  };
  status?: {
    state?: string;
    enabled?: boolean;
    installedVersion?: string;
    plannedInstallVersion?: string;
    recommendedVersion?: string;
    versions?: { version: string }[];
    conditions?: Condition[];
  };
}

export interface ExtensionVersion {
  metadata: Meta;
  spec?: { version?: string; kubeVersion?: string; ksVersion?: string };
}

export interface InstallPlan {
  metadata: Meta;
  spec?: { extension?: { name?: string; version?: string }; enabled?: boolean; config?: string };
  status?: { state?: string; version?: string; conditions?: Condition[]; targetNamespace?: string };
}

export interface Category {
  metadata: Meta;
  spec?: { displayName?: Localised; description?: Localised; icon?: string };
}

const BASE = '/apis/kubesphere.io/v1alpha1';
const path = (plural: string, name = ''): string => `${BASE}/${plural}${name && `/${encodeURIComponent(name)}`}`;

export async function list<T>(plural: 'extensions' | 'extensionversions' | 'installplans' | 'categories'): Promise<T[]> {
  return (await json<{ items?: T[] | null }>(path(plural))).items ?? [];
}

/** The plan that asks for an extension in a version; its name is the extension's. */
export const newPlan = (name: string, version: string): object => ({
  apiVersion: 'kubesphere.io/v1alpha1',
  kind: 'InstallPlan',
  metadata: { name },
  spec: { extension: { name, version }, enabled: true, upgradeStrategy: 'Manual', config: '' },
});

export const install = (name: string, version: string): Promise<unknown> => post(path('installplans'), newPlan(name, version));

export const setEnabled = (name: string, enabled: boolean): Promise<unknown> =>
  mergePatch(path('installplans', name), { spec: { enabled } });

export const changeVersion = (name: string, version: string): Promise<unknown> =>
  mergePatch(path('installplans', name), { spec: { extension: { version } } });

export const uninstall = (name: string): Promise<unknown> => remove(path('installplans', name));
