/** The current language as a React value: components that show text render again when it changes. */
import { useSyncExternalStore } from 'react';
import { language, onLanguageChange, text, type Language } from './index';

export function useLanguage(): Language {
  return useSyncExternalStore(onLanguageChange, language);
}

export function useText(): typeof text {
  useLanguage();
  return text;
}
