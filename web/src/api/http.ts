/**
 * Talking to the gateway with the session cookie: JSON in, JSON out, one error type, and one silent renewal.
 *
 * A 401 means that the access token aged: the session is renewed once for all callers that wait for it, and the request
 * is sent again. If that fails too the caller gets an ApiError with code 401 and `onSessionLost` is told.
 */

export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly code: number,
    message: string,
    readonly reason: string = '',
  ) {
    super(message);
  }
}

/** What the servers behind the gateway put into an error body: a Kubernetes Status, or an OAuth error. */
interface ErrorBody {
  message?: unknown;
  reason?: unknown;
  error?: unknown;
  error_description?: unknown;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

export async function errorFrom(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as ErrorBody | null;
  const message = text(body?.message) || text(body?.error_description) || text(body?.error);
  return new ApiError(response.status, message || `${response.status} ${response.statusText}`.trim(), text(body?.reason));
}

let onSessionLost: () => void = () => undefined;

export function setSessionLost(handler: () => void): void {
  onSessionLost = handler;
}

let renewal: Promise<boolean> | null = null;

const RENEWED_AT = 'dovetail.renewed';
const JUST_NOW_MS = 5_000;

function renewedElsewhere(): boolean {
  try {
    return Date.now() - Number(localStorage.getItem(RENEWED_AT) ?? 0) < JUST_NOW_MS;
  } catch {
    return false;
  }
}

async function renewNow(): Promise<boolean> {
  if (renewedElsewhere()) return true;
  const { ok } = await fetch('/oauth/session', { method: 'PUT' });
  try {
    if (ok) localStorage.setItem(RENEWED_AT, String(Date.now()));
  } catch {
    // Without storage other tabs renew by themselves.
  }
  return ok;
}

/**
 * Renews the session cookie. Callers at the same time share one request, and so do all tabs of the browser where it has
 * locks: a refresh token that two tabs trade at once would look stolen.
 */
export function renewSession(): Promise<boolean> {
  const locked = (): Promise<boolean> =>
    'locks' in navigator ? navigator.locks.request('dovetail.session', renewNow) : renewNow();
  renewal ??= locked()
    .catch(() => false)
    .finally(() => {
      renewal = null;
    });
  return renewal;
}

/** fetch, with one renewal of the session on 401. Never throws for a status; throws ApiError(0) when nothing answers. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const send = (): Promise<Response> =>
    fetch(path, init).catch((error: unknown) => {
      if (error instanceof DOMException && error.name === 'AbortError') throw error;
      throw new ApiError(0, 'The server does not answer. Check the connection and try again.', 'Unreachable');
    });
  const response = await send();
  if (response.status !== 401) return response;
  if (await renewSession()) {
    const again = await send();
    if (again.status !== 401) return again;
  }
  onSessionLost();
  return response;
}

export async function json<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await request(path, init);
  if (!response.ok) throw await errorFrom(response);
  return (await response.json()) as T;
}

const body = (value: unknown, type: string): RequestInit => ({
  body: JSON.stringify(value),
  headers: { 'Content-Type': type, Accept: 'application/json' },
});

export const post = <T>(path: string, value: unknown): Promise<T> =>
  json<T>(path, { method: 'POST', ...body(value, 'application/json') });

export const mergePatch = <T>(path: string, value: unknown): Promise<T> =>
  json<T>(path, { method: 'PATCH', ...body(value, 'application/merge-patch+json') });

export const remove = <T>(path: string): Promise<T> => json<T>(path, { method: 'DELETE' });
