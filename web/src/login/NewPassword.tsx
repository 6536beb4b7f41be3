/** The second step of a first log-in: somebody else chose the password, so the user chooses an own one. */
import { useState, type FormEvent, type ReactNode } from 'react';
import { ApiError } from '../api/http';
import { changePassword } from '../api/session';
import { useText } from '../i18n/react';

interface Properties {
  readonly username: string;
  readonly password: string;
  readonly onChanged: () => void;
}

export function NewPassword({ username, password, onChanged }: Properties): ReactNode {
  const text = useText();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const chosen = String(fields.get('new') ?? '');
    if (chosen !== String(fields.get('again') ?? '')) {
      setProblem(text('passwordsDiffer'));
      return;
    }
    setBusy(true);
    setProblem('');
    try {
      await changePassword(username, password, chosen);
      onChanged();
    } catch (error) {
      setProblem(error instanceof ApiError ? error.message : text('unreachable'));
      setBusy(false);
    }
  };

  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <p>{text('choosePassword')}</p>
      <input type="hidden" name="username" autoComplete="username" value={username} readOnly />
      <label htmlFor="new-password">{text('newPassword')}</label>
      <input id="new-password" name="new" type="password" autoComplete="new-password" autoFocus
        aria-invalid={problem !== ''} aria-describedby="login-problem" />
      <label htmlFor="repeat-password">{text('repeatPassword')}</label>
      <input id="repeat-password" name="again" type="password" autoComplete="new-password"
        aria-invalid={problem !== ''} aria-describedby="login-problem" />
      <p id="login-problem" role="alert" className="dt-login-problem">{problem}</p>
      <button type="submit" className="dt-login-submit" disabled={busy}>{text('changePassword')}</button>
    </form>
  );
}
