import React from 'react';
import { en } from './locales/en';
import { zh } from './locales/zh';
import { Page } from './Page';

// What the console takes from this bundle: pages, menu entries and texts.
export default {
  routes: [{ path: '/[[name]]', element: <Page /> }],
  menus: [
    { parent: 'global', name: '[[name]]', title: '[[key]]_TITLE', icon: 'group', link: '/[[name]]', order: 100, skipAuth: true },
  ],
  locales: { en, zh },
};
