/** Identity providers: other systems to log in with, and registering for those whom one of them knows. */
import { errorFrom } from './http';

export interface Provider {
  name: string;
  displayName: string;
  /** `password`: it takes the password typed here; `redirect`: the browser goes there. */
  kind: 'password' | 'redirect';
  loginURL?: string;
}

/** Somebody whom a provider knows and who has no user here yet. */
export interface Registration {
  ticket: string;
  username: string;
}

const CONFIG = '/kapis/config.kubesphere.io/v1alpha2/configs/oauth';

/** The providers to log in with; none when the server does not say, since the password form is there in any case. */
export async function fetchProviders(): Promise<Provider[]> {
  try {
    const response = await fetch(CONFIG, { headers: { Accept: 'application/json' } });
    const said = (await response.json()) as { identityProviders?: Provider[] };
    return response.ok && Array.isArray(said.identityProviders) ? said.identityProviders : [];
  } catch {
    return [];
  }
}

/** Where a button leads: always a path of our own, with the way back. */
export const leavePath = (provider: Provider, next: string): string =>
  `/oauth/login/${encodeURIComponent(provider.name)}?next=${encodeURIComponent(next)}`;

/** The registration that a provider's callback left in the fragment, which no server sees. */
export function registrationIn(hash: string): Registration | null {
  const said = new URLSearchParams(hash.replace(/^#/, ''));
  const ticket = said.get('registration');
  return ticket === null || ticket === '' ? null : { ticket, username: said.get('username') ?? '' };
}

export async function register(ticket: string, username: string): Promise<void> {
  const response = await fetch('/oauth/register', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify({ ticket, username }),
  });
  if (!response.ok) throw await errorFrom(response);
}
