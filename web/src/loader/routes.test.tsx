import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { createElement, type ReactNode } from 'react';
import { Link, MemoryRouter, Outlet, useRoutes } from 'react-router';
import { afterEach, expect, it, vi } from 'vitest';
import { readConfig } from './contract';
import { freshRecord, type BundleRecord, type Snapshot } from './registry';
import { routeTable } from './routes';
import { bundleNamed } from './testBundle';

afterEach(cleanup);

const record = (name: string, routes: unknown[]): BundleRecord => ({ ...freshRecord(bundleNamed(name)), contribution: readConfig({ routes }) });

function Pages({ records }: { readonly records: Snapshot }): ReactNode {
  return useRoutes([...routeTable(records).routes, { path: '*', element: <p>nothing here</p> }]);
}

const show = (path: string, records: Snapshot): unknown =>
  render(
    <MemoryRouter initialEntries={[path]}>
      <Link to="/good">to good</Link>
      <Pages records={records} />
    </MemoryRouter>,
  );

it.each([
  ['/', '/'], ['/extensions', 'extensions'], ['extensions/x', 'extensions'], ['/kapis/a', 'kapis'], ['/*', '*'], ['/:any', ':any'],
])('refuses %s', (path) => {
  const table = routeTable([record('a', [{ path }])]);
  expect(table.routes).toEqual([]);
  expect(table.refused.get('a')).toHaveLength(1);
});

it('gives a path to the first bundle that asks, whatever its parameters are called', () => {
  const table = routeTable([record('a', [{ path: '/x/:id' }]), record('b', [{ path: 'x/:name/' }, { path: '/y' }])]);
  expect(table.routes.map(({ path }) => path)).toEqual(['/x/:id', '/y']);
  expect(table.refused.get('b')?.[0]).toContain('already taken by bundle a');
});

it('shows the page of a bundle, with nested routes', () => {
  const routes = [{ path: '/a', element: createElement(Outlet), children: [{ path: 'b', element: 'inner page' }] }];
  show('/a/b', [record('a', routes)]);
  expect(screen.getByText('inner page')).toBeTruthy();
});

it('confines a page that throws, and forgets it on the way to another page', () => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const Crash = (): ReactNode => {
    throw new Error('the page fell over');
  };
  show('/bad', [record('bad', [{ path: '/bad', element: createElement(Crash) }]), record('good', [{ path: '/good', element: 'a good page' }])]);
  expect(screen.getByTestId('extension-problem').textContent).toContain('the page fell over');
  fireEvent.click(screen.getByText('to good'));
  expect(screen.getByText('a good page')).toBeTruthy();
});
