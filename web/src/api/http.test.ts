import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ApiError, json, request, setSessionLost } from './http';

const fetched = vi.fn<(path: string, init?: RequestInit) => Promise<Response>>();
const status = (code: number, message = ''): Response =>
  new Response(JSON.stringify({ kind: 'Status', message, reason: 'Why' }), { status: code });

beforeEach(() => {
  fetched.mockReset();
  localStorage.clear();
  vi.stubGlobal('fetch', fetched);
});
afterEach(() => {
  vi.unstubAllGlobals();
  setSessionLost(() => undefined);
});

const puts = (): number => fetched.mock.calls.filter(([path]) => path === '/oauth/session').length;

it('reads the sentence out of a Status and out of an OAuth error', async () => {
  fetched.mockResolvedValueOnce(status(403, 'no role'));
  await expect(json('/x')).rejects.toMatchObject({ code: 403, message: 'no role', reason: 'Why' });
  fetched.mockResolvedValueOnce(new Response('{"error":"e","error_description":"words"}', { status: 400 }));
  await expect(json('/x')).rejects.toMatchObject({ message: 'words' });
  fetched.mockResolvedValueOnce(new Response('<html>', { status: 502, statusText: 'Bad Gateway' }));
  await expect(json('/x')).rejects.toMatchObject({ message: '502 Bad Gateway' });
});

it('renews the session once for everybody and sends the requests again', async () => {
  let renewed = false;
  fetched.mockImplementation(async (path) => {
    if (path !== '/oauth/session') return renewed ? new Response('{}') : status(401);
    renewed = true;
    return Promise.resolve(new Response(null, { status: 200 }));
  });
  const answers = await Promise.all([request('/a'), request('/b'), request('/c')]);
  expect(answers.map(({ status: code }) => code)).toEqual([200, 200, 200]);
  expect(puts()).toBe(1);
});

it('says that the session is lost when it cannot be renewed', async () => {
  const lost = vi.fn();
  setSessionLost(lost);
  fetched.mockImplementation(() => Promise.resolve(status(401)));
  expect((await request('/a')).status).toBe(401);
  expect(lost).toHaveBeenCalledOnce();
});

it('does not trade the refresh token again when another tab has just done so', async () => {
  localStorage.setItem('dovetail.renewed', String(Date.now()));
  fetched.mockResolvedValueOnce(status(401)).mockResolvedValueOnce(new Response('{}'));
  expect((await request('/a')).status).toBe(200);
  expect(puts()).toBe(0);
});

it('turns a connection that fails into a sentence', async () => {
  fetched.mockRejectedValueOnce(new TypeError('network'));
  await expect(request('/a')).rejects.toBeInstanceOf(ApiError);
});
