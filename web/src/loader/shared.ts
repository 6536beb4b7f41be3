/**
 * The modules that bundles may import by bare name: the very instances that the console itself runs on.
 *
 * React, its renderer and the router are in the page already and are set at once; the rest is fetched when the first bundle
 * asks (a `shared:` id, satisfied by a native import() in the loader's instantiate hook), so that nobody pays for the
 * component kit of older bundles who does not use it. The list is public: the diagnostics page shows it.
 */
import * as React from 'react';
import * as JsxRuntime from 'react/jsx-runtime';
import * as ReactDOM from 'react-dom';
import * as ReactDOMClient from 'react-dom/client';
import * as ReactRouter from 'react-router';

export type Namespace = Record<string, unknown>;

/**
 * A namespace as SystemJS and both generations of webpack setters want it: plain, enumerable, with a `default`
 * (reference: console.md 3.3).
 */
export function namespaceOf(module: object): Namespace {
  const names: Namespace = { ...module };
  names.default ??= Object.fromEntries(Object.entries(module).filter(([name]) => name !== 'default'));
  names.__esModule = true;
  return names;
}

export const IMMEDIATE: Readonly<Record<string, () => Namespace>> = {
  react: () => namespaceOf(React),
  'react/jsx-runtime': () => namespaceOf(JsxRuntime),
  // Both halves in one, as they were before React 18; the default has all of it.
  'react-dom': () => namespaceOf({ ...ReactDOMClient, ...ReactDOM, default: undefined }),
  'react-dom/client': () => namespaceOf(ReactDOMClient),
  'react-router': () => namespaceOf(ReactRouter),
  // react-router 7 is what used to be react-router-dom 6, under its own name.
  'react-router-dom': () => namespaceOf(ReactRouter),
};

export const LAZY: Readonly<Record<string, () => Promise<object>>> = {
  'styled-components': () => import('styled-components'),
  'react-query': () => import('../compat/reactQuery'),
  '@kubed/components': () => import('../compat/kubedComponents'),
  '@kubed/hooks': () => import('@kubed/hooks'),
  '@kubed/icons': () => import('@kubed/icons'),
};

export const providedModules = (): string[] => [...Object.keys(IMMEDIATE), ...Object.keys(LAZY)].sort();
