[[#backend]]
import React, { useEffect, useState } from 'react';

const HELLO = '/kapis/[[group]]/v1alpha1/hello';

interface Answer {
  message?: string;
  error: string;
}

async function ask(signal: AbortSignal): Promise<string> {
  const response = await fetch(HELLO, { headers: { Accept: 'application/json' }, signal });
  const body = (await response.json()) as { message?: string };
  if (!response.ok) throw new Error(body.message ?? String(response.status));
  return body.message ?? '';
}

function useAnswer(): Answer {
  const [answer, setAnswer] = useState<Answer>({ error: '' });
  useEffect(() => {
    const controller = new AbortController();
    ask(controller.signal).then(
      (message) => setAnswer({ message, error: '' }),
      (error: Error) => controller.signal.aborted || setAnswer({ error: error.message }),
    );
    return () => controller.abort();
  }, []);
  return answer;
}

[[/backend]]
[[#alone]]
import React from 'react';

[[/alone]]
export function Page(): React.ReactElement {
[[#backend]]
  const { message, error } = useAnswer();
[[/backend]]
  return (
    <section data-testid="[[name]]" style={{ padding: '2rem' }}>
      <h1>{t('[[key]]_TITLE')}</h1>
      <p>{t('[[key]]_WELCOME')}</p>
[[#backend]]
      {error ? <p role="alert">{t('[[key]]_FAILED', { reason: error })}</p> : <p>{message ?? t('[[key]]_LOADING')}</p>}
[[/backend]]
    </section>
  );
}
