/**
 * What a bundle hands to the host: the published contract of KubeSphere 4 extensions (reference: console.md 2), as
 * types and as one reading function that takes nothing for granted. A bundle is foreign code: every field may be missing
 * or of another kind, and what is wrong becomes a `problem` that the diagnostics page shows, never an exception.
 */
import type { ReactNode } from 'react';
import type { Locales } from '../i18n';

export interface ExtensionRoute {
  path?: string;
  index?: boolean;
  element?: ReactNode;
  children?: ExtensionRoute[];
  /** Where KubeSphere would mount the route inside one of its areas; this console has no such areas yet. */
  parentRoute?: string;
}

export interface MenuItem {
  parent: string;
  name: string;
  title: string;
  icon?: string;
  order?: number;
  desc?: string;
  link?: string;
  skipAuth?: boolean;
  children: MenuItem[];
}

/** The value of `registerExtension`, or of a default export. */
export interface ExtensionConfig {
  routes?: unknown;
  menus?: unknown;
  locales?: unknown;
  isCheckLicense?: unknown;
}

export interface Contribution {
  routes: ExtensionRoute[];
  menus: MenuItem[];
  locales: Locales;
  problems: string[];
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const optionalText = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

function readRoute(value: unknown, problems: string[]): ExtensionRoute | null {
  if (!isRecord(value)) {
    problems.push('a route is not an object');
    return null;
  }
  const path = optionalText(value.path);
  if (path === undefined && value.index !== true && !Array.isArray(value.children)) {
    problems.push('a route has neither a path nor children');
    return null;
  }
  const route: ExtensionRoute = { element: value.element as ReactNode };
  if (path !== undefined) route.path = path;
  if (value.index === true) route.index = true;
  if (typeof value.parentRoute === 'string') route.parentRoute = value.parentRoute;
  if (Array.isArray(value.children) && !route.index) route.children = readList(value.children, readRoute, problems);
  return route;
}

function readMenu(value: unknown, problems: string[]): MenuItem | null {
  const name = isRecord(value) ? optionalText(value.name) : undefined;
  if (!isRecord(value) || name === undefined) {
    problems.push('a menu item has no name');
    return null;
  }
  const item: MenuItem = {
    parent: optionalText(value.parent) ?? '',
    name,
    title: optionalText(value.title) ?? name,
    children: Array.isArray(value.children) ? readList(value.children, readMenu, problems) : [],
  };
  const icon = optionalText(value.icon);
  const desc = optionalText(value.desc);
  const link = optionalText(value.link);
  if (icon !== undefined) item.icon = icon;
  if (desc !== undefined) item.desc = desc;
  if (link !== undefined) item.link = link;
  if (typeof value.order === 'number') item.order = value.order;
  if (value.skipAuth === true) item.skipAuth = true;
  return item;
}

function readList<T>(values: unknown, read: (value: unknown, problems: string[]) => T | null, problems: string[]): T[] {
  if (values === undefined || values === null) return [];
  if (!Array.isArray(values)) {
    problems.push('routes and menus must be lists');
    return [];
  }
  return values.map((value) => read(value, problems)).filter((item): item is NonNullable<typeof item> => item !== null) as T[];
}

export const readMenus = (values: unknown): { menus: MenuItem[]; problems: string[] } => {
  const problems: string[] = [];
  return { menus: readList(values, readMenu, problems), problems };
};

/** Reads one registered value. Never throws. */
export function readConfig(value: unknown): Contribution {
  const problems: string[] = [];
  if (!isRecord(value)) return { routes: [], menus: [], locales: {}, problems: ['the registered value is not an object'] };
  return {
    routes: readList(value.routes, readRoute, problems),
    menus: readList(value.menus, readMenu, problems),
    locales: isRecord(value.locales) ? (value.locales as Locales) : {},
    problems,
  };
}

export function merge(contributions: readonly Contribution[]): Contribution {
  return {
    routes: contributions.flatMap(({ routes }) => routes),
    menus: contributions.flatMap(({ menus }) => menus),
    locales: mergeLocales(contributions.map(({ locales }) => locales)),
    problems: contributions.flatMap(({ problems }) => problems),
  };
}

function mergeLocales(all: readonly Locales[]): Locales {
  const merged: Record<string, Record<string, unknown>[]> = {};
  for (const locales of all)
    for (const [code, texts] of Object.entries(locales)) merged[code] = (merged[code] ?? []).concat(texts);
  return merged;
}

/** Unwraps a default export: an object, a promise of one, or a function that returns either. */
export async function unwrap(exported: unknown): Promise<unknown> {
  const value: unknown = typeof exported === 'function' ? (exported as () => unknown)() : exported;
  return await value;
}
