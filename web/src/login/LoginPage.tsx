/** The login page: a plain form that password managers understand, and error texts that say what happened. */
import { useEffect, useRef, useState, type FormEvent, type ReactNode } from 'react';
import { ApiError } from '../api/http';
import { fetchProviders, registrationIn, type Provider, type Registration } from '../api/providers';
import { logIn, safeNext } from '../api/session';
import { NewName } from './NewName';
import { NewPassword } from './NewPassword';
import { Providers } from './Providers';
import { LANGUAGES, setLanguage, type TextKey } from '../i18n';
import { useLanguage, useText } from '../i18n/react';
import { Logo } from './Logo';
import './login.css';

/** What the page says about a failed attempt; the server's own sentence where it is more precise than ours. */
export function explainLogin(error: unknown): { key: TextKey } | { sentence: string } {
  if (!(error instanceof ApiError)) return { key: 'unreachable' };
  if (error.code === 429) return { key: 'tooManyAttempts' };
  if (error.code === 400 || error.code === 401) return { key: 'wrongCredentials' };
  if (error.code === 502 || error.code === 503 || error.code === 504) return { key: 'unreachable' };
  return { sentence: error.message };
}

function LanguageSwitch(): ReactNode {
  const current = useLanguage();
  return (
    <div className="dt-login-languages">
      {LANGUAGES.map(({ code, name }) => (
        <button key={code} type="button" lang={code} aria-pressed={code === current} onClick={() => void setLanguage(code)}>
          {name}
        </button>
      ))}
    </div>
  );
}

export function LoginPage({ onLoggedIn }: { readonly onLoggedIn: () => void }): ReactNode {
  const text = useText();
  const [busy, setBusy] = useState(false);
  const [visible, setVisible] = useState(false);
  const [problem, setProblem] = useState('');
  const [known, setKnown] = useState<{ username: string; password: string } | null>(null);
  const [providers, setProviders] = useState<Provider[]>([]);
  const [registration, setRegistration] = useState<Registration | null>(() => registrationIn(location.hash));
  const passwordField = useRef<HTMLInputElement>(null);
  const directories = providers.filter(({ kind }) => kind === 'password');

  useEffect(() => {
    // The ticket is kept in memory only: neither the address bar nor the history shows it.
    if (registrationIn(location.hash) !== null) history.replaceState(null, '', location.pathname + location.search);
    let there = true;
    void fetchProviders().then((found) => { if (there) setProviders(found); });
    return () => { there = false; };
  }, []);

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const username = String(fields.get('username') ?? '').trim();
    const password = String(fields.get('password') ?? '');
    if (username === '' || password === '') {
      setProblem(text('fillBoth'));
      return;
    }
    setBusy(true);
    setProblem('');
    try {
      const said = await logIn(username, password, String(fields.get('provider') ?? ''));
      if (said.registration !== undefined) setRegistration({ ticket: said.registration, username: said.username ?? '' });
      else if (said.passwordChangeRequired) setKnown({ username, password });
      else onLoggedIn();
    } catch (error) {
      const explained = explainLogin(error);
      setProblem('key' in explained ? text(explained.key) : explained.sentence);
      setBusy(false);
      passwordField.current?.select();
    }
  };

  return (
    <div className="dt-login">
      <main className="dt-login-card">
        <header>
          <Logo size={44} />
          <h1>{text('appName')}</h1>
          <p>{text('tagline')}</p>
        </header>
        {registration !== null ? <NewName registration={registration} onRegistered={onLoggedIn} />
        : known !== null ? <NewPassword {...known} onChanged={onLoggedIn} /> : <form onSubmit={(event) => void submit(event)} noValidate>
          {directories.length === 0 ? null : <>
            <label htmlFor="provider">{text('accountOf')}</label>
            <select id="provider" name="provider">
              <option value="">{text('appName')}</option>
              {directories.map(({ name, displayName }) => <option key={name} value={name}>{displayName}</option>)}
            </select>
          </>}
          <label htmlFor="username">{text('username')}</label>
          <input id="username" name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} autoFocus
            aria-invalid={problem !== ''} aria-describedby="login-problem" />
          <label htmlFor="password">{text('password')}</label>
          <div className="dt-login-password">
            <input id="password" name="password" ref={passwordField} type={visible ? 'text' : 'password'}
              autoComplete="current-password" aria-invalid={problem !== ''} aria-describedby="login-problem" />
            <button type="button" aria-pressed={visible} aria-label={text(visible ? 'hidePassword' : 'showPassword')}
              onClick={() => setVisible(!visible)}>
              <svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true" fill="none" stroke="currentColor" strokeWidth="1.8">
                <path d="M2 12s3.6-6.5 10-6.5S22 12 22 12s-3.6 6.5-10 6.5S2 12 2 12z" /><circle cx="12" cy="12" r="2.8" />
                {visible ? null : <path d="M4 20 20 4" />}
              </svg>
            </button>
          </div>
          <p id="login-problem" role="alert" className="dt-login-problem">{problem}</p>
          <button type="submit" className="dt-login-submit" disabled={busy}>{text(busy ? 'signingIn' : 'signIn')}</button>
          <Providers providers={providers} next={safeNext(location.search)} />
        </form>}
      </main>
      <LanguageSwitch />
    </div>
  );
}
