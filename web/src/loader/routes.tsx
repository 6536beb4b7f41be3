/**
 * From contributions to react-router routes: every element inside its bundle's error boundary, and no extension able to
 * take over a page of the console or of another extension. Pure but for the elements it makes.
 */
import type { RouteObject } from 'react-router';
import { ExtensionBoundary } from './Boundary';
import type { ExtensionRoute } from './contract';
import type { BundleRecord, Snapshot } from './registry';

/** First path segments that belong to the console and to the gateway. */
export const RESERVED: readonly string[] = [
  '', 'login', 'logout', 'dashboard', 'extensions', 'diagnostics', 'console', 'assets',
  'oauth', 'api', 'apis', 'kapis', 'dist', 'pstatic', 'proxy', 'openapi', 'version', 'healthz', 'livez', 'readyz',
];

export interface RouteTable {
  readonly routes: RouteObject[];
  /** bundle name -> why some of its routes are refused. */
  readonly refused: ReadonlyMap<string, readonly string[]>;
}

const segments = (path: string): string[] => path.replace(/^\/+|\/+$/g, '').split('/');

/** Same place in the table: parameters match anything, so their names do not count. */
const shape = (path: string): string => segments(path).map((part) => (part.startsWith(':') ? ':' : part.toLowerCase())).join('/');

function refusal(route: ExtensionRoute, taken: ReadonlyMap<string, string>): string | null {
  if (route.path === undefined) return 'a route without a path at the top level would be on every page';
  const first = segments(route.path)[0] ?? '';
  if (RESERVED.includes(first)) return `path "${route.path}": "/${first}" belongs to the console`;
  if (/^[*:]/.test(first)) return `path "${route.path}": the first segment must be a plain name`;
  const owner = taken.get(shape(route.path));
  return owner === undefined ? null : `path "${route.path}": already taken by bundle ${owner}`;
}

function guarded(route: ExtensionRoute, record: BundleRecord, key: string): RouteObject {
  const element = route.element === undefined ? undefined : (
    <ExtensionBoundary key={key} record={record}>{route.element}</ExtensionBoundary>
  );
  if (route.index) return { index: true, element };
  const children = route.children?.map((child, index) => guarded(child, record, `${key}.${index}`));
  return { path: route.path, element, ...(children ? { children } : {}) };
}

export function routeTable(records: Snapshot): RouteTable {
  const taken = new Map<string, string>();
  const refused = new Map<string, string[]>();
  const routes: RouteObject[] = [];
  for (const record of records) {
    const { name, digest } = record.bundle;
    record.contribution.routes.forEach((route, index) => {
      const reason = refusal(route, taken);
      if (reason !== null) {
        refused.set(name, [...(refused.get(name) ?? []), reason]);
        return;
      }
      taken.set(shape(route.path ?? ''), name);
      routes.push(guarded(route, record, `${name}@${digest}#${index}`));
    });
  }
  return { routes, refused };
}
