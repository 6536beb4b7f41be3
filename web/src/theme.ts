/** Light, dark, or as the system: one class on the document element, remembered in this browser. */
export type Theme = 'light' | 'dark' | 'system';

const STORED = 'dovetail.theme';
const DARK_CLASS = 'pf-v6-theme-dark';

const system = (): MediaQueryList | null => window.matchMedia?.('(prefers-color-scheme: dark)') ?? null;

export function storedTheme(): Theme {
  try {
    const value = localStorage.getItem(STORED);
    return value === 'light' || value === 'dark' ? value : 'system';
  } catch {
    return 'system';
  }
}

function apply(theme: Theme): void {
  const dark = theme === 'dark' || (theme === 'system' && (system()?.matches ?? false));
  document.documentElement.classList.toggle(DARK_CLASS, dark);
  document.documentElement.style.colorScheme = dark ? 'dark' : 'light';
}

export function setTheme(theme: Theme): void {
  try {
    if (theme === 'system') localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, theme);
  } catch {
    // A browser that keeps nothing still switches for this visit.
  }
  apply(theme);
}

/** Applies the remembered choice and follows the system when there is none. */
export function startTheme(): void {
  apply(storedTheme());
  system()?.addEventListener('change', () => apply(storedTheme()));
}
