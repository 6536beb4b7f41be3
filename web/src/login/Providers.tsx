/** Other ways in: a link for each provider that the browser goes to. */
import type { ReactNode } from 'react';
import { leavePath, type Provider } from '../api/providers';
import { useText } from '../i18n/react';

interface Properties {
  readonly providers: readonly Provider[];
  readonly next: string;
}

export function Providers({ providers, next }: Properties): ReactNode {
  const text = useText();
  const others = providers.filter(({ kind }) => kind === 'redirect');
  if (others.length === 0) return null;
  return (
    <nav className="dt-login-providers" aria-label={text('otherWaysIn')}>
      {others.map((provider) => (
        <a key={provider.name} href={leavePath(provider, next)}>{text('signInWith', { provider: provider.displayName })}</a>
      ))}
    </nav>
  );
}
