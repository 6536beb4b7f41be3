/** Signing in and out: the session lives in HttpOnly cookies that this page can neither read nor leak. */
import { errorFrom } from './http';

/** What the server says of a log-in: whether something has to be chosen before anything else. */
export interface LoggedIn {
  /** A new password. */
  passwordChangeRequired?: boolean;
  /** A user name: the ticket to register with. */
  registration?: string;
  username?: string;
}

export async function logIn(username: string, password: string, provider = ''): Promise<LoggedIn> {
  const response = await fetch('/oauth/session', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify(provider === '' ? { username, password } : { username, password, provider }),
  });
  if (!response.ok) throw await errorFrom(response);
  return ((await response.json().catch(() => ({}))) ?? {}) as LoggedIn;
}

/** Choose an own password; it ends the session, so a new one begins with it. */
export async function changePassword(username: string, currentPassword: string, password: string): Promise<void> {
  const path = `/kapis/iam.kubesphere.io/v1beta1/users/${encodeURIComponent(username)}/password`;
  const response = await fetch(path, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify({ currentPassword, password }),
  });
  if (!response.ok) throw await errorFrom(response);
  await logIn(username, password);
  await ready();
}

const READY_TRIES = 40;
const READY_PAUSE_MS = 250;

/** Until the gateway has heard of the change, which is a matter of milliseconds, it refuses everything else (403). */
async function ready(): Promise<void> {
  for (let tries = 0; tries < READY_TRIES; tries += 1) {
    if ((await fetch('/console/api/boot')).status !== 403) return;
    await new Promise((resolve) => setTimeout(resolve, READY_PAUSE_MS));
  }
}

/** Whether a client of the platform wants the user to log in even though somebody is logged in. */
export const mustLogIn = (search: string): boolean => new URLSearchParams(search).get('again') === '1';

/** Whether an address on this site is the server's and not a page of the console. */
export const isServers = (path: string): boolean => path.startsWith('/oauth/');

export async function logOut(): Promise<void> {
  await fetch('/oauth/session', { method: 'DELETE' }).catch(() => undefined);
}

/**
 * Where to go after login: the `next` parameter if it is a path of this very site, else the start page. A browser reads
 * `//host` and `/\host` as another site, so those do not count.
 */
export function safeNext(search: string): string {
  const next = new URLSearchParams(search).get('next') ?? '/';
  if (!/^\/(?![/\\])/.test(next) || /[\u0000-\u001f]/.test(next)) return '/';
  return next === '/login' || next.startsWith('/login?') ? '/' : next;
}

export function loginPath(location: { pathname: string; search: string }): string {
  const next = location.pathname + location.search;
  return next === '/' ? '/login' : `/login?next=${encodeURIComponent(next)}`;
}
