/** The first log-in of somebody whom an identity provider knows: the person chooses a user name here. */
import { useState, type FormEvent, type ReactNode } from 'react';
import { ApiError } from '../api/http';
import { register, type Registration } from '../api/providers';
import { useText } from '../i18n/react';

interface Properties {
  readonly registration: Registration;
  readonly onRegistered: () => void;
}

export function NewName({ registration, onRegistered }: Properties): ReactNode {
  const text = useText();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const username = String(new FormData(event.currentTarget).get('username') ?? '').trim();
    setBusy(true);
    setProblem('');
    try {
      await register(registration.ticket, username);
      onRegistered();
    } catch (error) {
      setProblem(error instanceof ApiError ? error.message : text('unreachable'));
      setBusy(false);
    }
  };

  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <p>{text('chooseName')}</p>
      <label htmlFor="new-name">{text('username')}</label>
      <input id="new-name" name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} autoFocus
        defaultValue={registration.username} aria-invalid={problem !== ''} aria-describedby="login-problem" />
      <p id="login-problem" role="alert" className="dt-login-problem">{problem}</p>
      <button type="submit" className="dt-login-submit" disabled={busy}>{text('register')}</button>
    </form>
  );
}
