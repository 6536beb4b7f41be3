/** Shown when the console's own server does not answer at all: what happened and a way to try again. */
import type { ReactNode } from 'react';
import { useText } from '../i18n/react';
import { Logo } from './Logo';
import './login.css';

export function Unavailable({ message, onRetry }: { readonly message: string; readonly onRetry: () => void }): ReactNode {
  const text = useText();
  return (
    <div className="dt-login">
      <main className="dt-login-card">
        <header>
          <Logo size={44} />
          <h1>{text('appName')}</h1>
        </header>
        <p role="alert">{message}</p>
        <button type="button" className="dt-login-submit" onClick={onRetry}>{text('retry')}</button>
      </main>
    </div>
  );
}
