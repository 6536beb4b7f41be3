/** Signing in and out: the session lives in HttpOnly cookies that this page can neither read nor leak. */
import { errorFrom } from './http';

export async function logIn(username: string, password: string): Promise<void> {
  const response = await fetch('/oauth/session', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify({ username, password }),
  });
  if (!response.ok) throw await errorFrom(response);
}

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
