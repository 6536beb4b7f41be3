/** From contributions to the navigation: which items are shown where, in which order, and where they lead. Pure. */
import { textOf, type Locales } from '../i18n';
import type { MenuItem } from './contract';
import type { Snapshot } from './registry';

export interface NavEntry {
  /** Unique in the page: `bundle:name`, so that two extensions may choose the same name. */
  readonly id: string;
  readonly bundle: string;
  readonly extension: string;
  readonly title: string;
  readonly description: string;
  readonly icon: string;
  readonly href: string;
  readonly external: boolean;
  readonly children: readonly NavEntry[];
}

/** Mount points that this console shows. KubeSphere 4.2 folded `topbar` into `global`; so does this page. */
const SHOWN = new Set(['global', 'topbar']);

const scopeOf = (item: MenuItem): string => item.parent.split('.')[0] ?? '';

export const isShown = (item: MenuItem): boolean => SHOWN.has(scopeOf(item));

/** Only paths of this site and plain web addresses: a menu must not smuggle a `javascript:` link into the page. */
export function target(item: MenuItem, base = ''): { href: string; external: boolean } {
  const link = item.link ?? '';
  if (/^https?:\/\//i.test(link)) return { href: link, external: true };
  if (/^\/(?![/\\])/.test(link)) return { href: link, external: false };
  const last = /^[\w.~-]+(\/[\w.~-]+)*$/.test(link) ? link : item.name;
  return { href: `${base}/${last.split('/').map(encodeURIComponent).join('/')}`, external: false };
}

function toEntry(item: MenuItem, bundle: string, extension: string, locales: Locales, base = ''): NavEntry {
  const { href, external } = target(item, base);
  return {
    id: `${bundle}:${item.parent}:${item.name}`,
    bundle,
    extension,
    title: textOf(locales, item.title),
    description: item.desc === undefined ? '' : textOf(locales, item.desc),
    icon: item.icon ?? '',
    href,
    external,
    children: item.children.map((child) => toEntry(child, bundle, extension, locales, href)),
  };
}

/** `order` is a place in the list, so lower comes first; items without one come last, by extension and as written. */
export function navEntries(records: Snapshot): NavEntry[] {
  return records
    .flatMap(({ bundle, entries, contribution }) =>
      (entries ?? contribution.menus).filter(isShown).map((item) => ({
        order: item.order ?? Number.POSITIVE_INFINITY,
        entry: toEntry(item, bundle.name, bundle.extensionName, contribution.locales),
      })),
    )
    .sort((a, b) => (a.order === b.order ? 0 : a.order - b.order))
    .map(({ entry }) => entry);
}

/** Why some menu items are not in the navigation, by bundle; for diagnostics. */
export const hiddenMenus = (items: readonly MenuItem[]): string[] =>
  items.filter((item) => !isShown(item)).map((item) => `menu "${item.name}": this console has no area "${item.parent || '(none)'}"`);
