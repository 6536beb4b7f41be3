import { expect, it } from 'vitest';
import { loginPath, safeNext } from './session';

it.each([
  ['?next=%2Fgreeter%3Fa%3D1', '/greeter?a=1'],
  ['', '/'],
  ['?next=//evil.example', '/'],
  ['?next=/%5Cevil.example', '/'],
  ['?next=https://evil.example', '/'],
  ['?next=javascript:alert(1)', '/'],
  ['?next=/a%0A//b', '/'],
  ['?next=/login', '/'],
  ['?next=/login%3Fnext%3D/x', '/'],
])('goes from %s to %s', (search, expected) => {
  expect(safeNext(search)).toBe(expected);
});

it('remembers where the user was', () => {
  expect(loginPath({ pathname: '/greeter', search: '?a=1' })).toBe('/login?next=%2Fgreeter%3Fa%3D1');
  expect(loginPath({ pathname: '/', search: '' })).toBe('/login');
});
