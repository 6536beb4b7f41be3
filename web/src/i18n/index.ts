/**
 * Texts: i18next with `{name}` interpolation, as the extension contract has it (reference: console.md 1.9, 2.7).
 *
 * The console's own texts and those of the extensions live in two namespaces, so that an extension can never change what
 * the console says. Within the extensions' namespace the last one wins, as authors expect from the flat key space.
 */
import i18next, { type TFunction } from 'i18next';
import { en, type TextKey } from './en';
import { zh } from './zh';

export type { TextKey } from './en';
export type Language = 'en' | 'zh';
/** Language -> key -> text, as bundles ship it. */
export type Locales = Record<string, Record<string, unknown> | Record<string, unknown>[]>;

export const LANGUAGES: readonly { code: Language; name: string }[] = [
  { code: 'en', name: 'English' },
  { code: 'zh', name: '简体中文' },
];

const HOST = 'console';
const EXTENSIONS = 'extensions';
const STORED = 'dovetail.language';

export function chooseLanguage(stored: string | null, preferred: readonly string[]): Language {
  const wanted = [stored ?? '', ...preferred].map((tag) => tag.toLowerCase().split('-')[0]);
  return LANGUAGES.find(({ code }) => code === wanted.find((tag) => tag === 'en' || tag === 'zh'))?.code ?? 'en';
}

function storedLanguage(): string | null {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}

void i18next.init({
  lng: chooseLanguage(storedLanguage(), navigator.languages),
  fallbackLng: 'en',
  initAsync: false,
  ns: [HOST, EXTENSIONS],
  defaultNS: HOST,
  fallbackNS: [],
  keySeparator: false,
  nsSeparator: false,
  interpolation: { prefix: '{', suffix: '}', escapeValue: false },
  resources: { en: { [HOST]: en }, zh: { [HOST]: zh } },
});

const host = i18next.getFixedT(null, HOST);

/** A text of the console itself, in the current language. */
export const text = (key: TextKey, values: Record<string, unknown> = {}): string => host(key, values);

const extension: TFunction = i18next.getFixedT(null, EXTENSIONS);

/** The global `t` of bundles: an unknown key shows as itself. */
export const t = (key: unknown, values: Record<string, unknown> = {}): string =>
  typeof key === 'string' ? String(extension(key, { ...values, defaultValue: key })) : String(key ?? '');

export const language = (): Language => (i18next.language === 'zh' ? 'zh' : 'en');

export async function setLanguage(code: Language): Promise<void> {
  try {
    localStorage.setItem(STORED, code);
  } catch {
    // A browser that keeps nothing still switches for this visit.
  }
  await i18next.changeLanguage(code);
  document.documentElement.lang = code;
}

export function onLanguageChange(listener: () => void): () => void {
  i18next.on('languageChanged', listener);
  return () => i18next.off('languageChanged', listener);
}

/** Flattens what bundles ship: a map, or a list of maps, per language. */
export function flatten(locales: Locales, code: string): Record<string, string> {
  const given = locales[code];
  const parts = Array.isArray(given) ? given : [given ?? {}];
  const merged = Object.assign({}, ...parts) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(merged).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** Replaces all texts of extensions by those of the bundles that are loaded now. */
export function setExtensionLocales(all: readonly Locales[]): void {
  const codes = new Set(['en', 'zh', ...all.flatMap((locales) => Object.keys(locales))]);
  for (const code of codes) {
    const texts = Object.assign({}, ...all.map((locales) => flatten(locales, code))) as Record<string, string>;
    i18next.removeResourceBundle(code, EXTENSIONS);
    i18next.addResourceBundle(code, EXTENSIONS, texts, false, true);
  }
}

/** A text of one bundle: its own locales first, so that two extensions may use the same key for different things. */
export function textOf(locales: Locales, key: unknown): string {
  if (typeof key !== 'string') return '';
  const own = flatten(locales, language())[key] ?? flatten(locales, 'en')[key];
  return own ?? t(key);
}
