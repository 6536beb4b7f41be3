import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ApiError } from '../api/http';
import { setLanguage } from '../i18n';
import { explainLogin, LoginPage } from './LoginPage';

const fetched = vi.fn<(path: string, init?: RequestInit) => Promise<Response>>();

let providers: unknown[] = [];

beforeEach(async () => {
  await setLanguage('en');
  fetched.mockReset();
  providers = [];
  const config = '/kapis/config.kubesphere.io/v1alpha2/configs/oauth';
  vi.stubGlobal('fetch', (path: string, init?: RequestInit) =>
    path === config ? Promise.resolve(new Response(JSON.stringify({ identityProviders: providers }))) : fetched(path, init));
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function fillIn(username: string, password: string): void {
  fireEvent.change(screen.getByLabelText('User name'), { target: { value: username } });
  fireEvent.change(screen.getByLabelText('Password'), { target: { value: password } });
  fireEvent.click(screen.getByRole('button', { name: 'Sign in' }));
}

it('sends the user name and password as they are, and goes on', async () => {
  fetched.mockResolvedValueOnce(new Response(null, { status: 204 }));
  const done = vi.fn();
  render(<LoginPage onLoggedIn={done} />);
  fillIn(' admin ', ' p w ');
  await waitFor(() => expect(done).toHaveBeenCalledOnce());
  const [path, init] = fetched.mock.calls[0]!;
  expect(path).toBe('/oauth/session');
  expect(JSON.parse(init?.body as string)).toEqual({ username: 'admin', password: ' p w ' });
});

it('says what went wrong and lets the user try again', async () => {
  fetched.mockResolvedValueOnce(new Response('{"message":"x"}', { status: 401 }));
  render(<LoginPage onLoggedIn={() => undefined} />);
  fillIn('admin', 'wrong');
  await waitFor(() => expect(screen.getByRole('alert').textContent).toBe('User name or password is wrong.'));
  expect(screen.getByRole('button', { name: 'Sign in' })).toHaveProperty('disabled', false);
});

it('asks for both fields without asking the server', () => {
  render(<LoginPage onLoggedIn={() => undefined} />);
  fillIn('admin', '');
  expect(screen.getByRole('alert').textContent).toContain('Enter your user name');
  expect(fetched).not.toHaveBeenCalled();
});

it.each([
  [new ApiError(429, ''), { key: 'tooManyAttempts' }],
  [new ApiError(503, ''), { key: 'unreachable' }],
  [new TypeError('network'), { key: 'unreachable' }],
  [new ApiError(403, 'this user is disabled'), { sentence: 'this user is disabled' }],
])('explains %s', (error, expected) => {
  expect(explainLogin(error)).toEqual(expected);
});

it('has the user choose an own password where the server asks for one', async () => {
  fetched.mockResolvedValueOnce(new Response('{"passwordChangeRequired":true}'));
  const done = vi.fn();
  render(<LoginPage onLoggedIn={done} />);
  fillIn('ann', 'Given-0ne');
  const chosen = await screen.findByLabelText('New password');
  fireEvent.change(chosen, { target: { value: 'Own-passw0rd' } });
  fireEvent.click(screen.getByRole('button', { name: 'Change password' }));
  expect(screen.getByRole('alert').textContent).toBe('The two passwords differ.');
  fireEvent.change(screen.getByLabelText('Repeat the new password'), { target: { value: 'Own-passw0rd' } });
  fetched.mockResolvedValueOnce(new Response('{}')).mockResolvedValueOnce(new Response('{}'));
  fetched.mockResolvedValueOnce(new Response('{}', { status: 403 })).mockResolvedValueOnce(new Response('{}'));
  fireEvent.click(screen.getByRole('button', { name: 'Change password' }));
  await waitFor(() => expect(done).toHaveBeenCalledOnce());
  const [path, init] = fetched.mock.calls[1]!;
  expect(path).toBe('/kapis/iam.kubesphere.io/v1beta1/users/ann/password');
  expect(JSON.parse(init?.body as string)).toEqual({ currentPassword: 'Given-0ne', password: 'Own-passw0rd' });
});

it('offers the identity providers, and asks the chosen directory', async () => {
  providers = [
    { name: 'corp', displayName: 'Directory', kind: 'password' },
    { name: 'git hub', displayName: 'GitHub', kind: 'redirect', loginURL: 'https://evil.example' },
  ];
  fetched.mockResolvedValueOnce(new Response('{}'));
  const done = vi.fn();
  render(<LoginPage onLoggedIn={done} />);
  const link = await screen.findByRole('link', { name: 'Sign in with GitHub' });
  expect(link.getAttribute('href')).toBe('/oauth/login/git%20hub?next=%2F');
  fireEvent.change(screen.getByLabelText('Account of'), { target: { value: 'corp' } });
  fillIn('ann', 'secret');
  await waitFor(() => expect(done).toHaveBeenCalledOnce());
  expect(JSON.parse(fetched.mock.calls[0]![1]?.body as string)).toEqual({ username: 'ann', password: 'secret', provider: 'corp' });
});

it('has somebody choose a name whom a provider knows, and keeps the ticket out of the address', async () => {
  history.replaceState(null, '', '/login?next=%2Fx#registration=tick.et&username=ann');
  fetched
    .mockResolvedValueOnce(new Response('{"message":"an account of this name is there already"}', { status: 409 }))
    .mockResolvedValueOnce(new Response('{"username":"ann2"}'));
  const done = vi.fn();
  render(<LoginPage onLoggedIn={done} />);
  expect(location.href).not.toContain('tick.et');
  const name = screen.getByLabelText('User name');
  expect(name).toHaveProperty('value', 'ann');
  fireEvent.click(screen.getByRole('button', { name: 'Create account' }));
  await waitFor(() => expect(screen.getByRole('alert').textContent).toBe('an account of this name is there already'));
  fireEvent.change(name, { target: { value: 'ann2' } });
  fireEvent.click(screen.getByRole('button', { name: 'Create account' }));
  await waitFor(() => expect(done).toHaveBeenCalledOnce());
  const [path, init] = fetched.mock.calls[1]!;
  expect(path).toBe('/oauth/register');
  expect(JSON.parse(init?.body as string)).toEqual({ ticket: 'tick.et', username: 'ann2' });
  history.replaceState(null, '', '/');
});
