/** The boot document: who the user is, how the console is set up, and which bundles to load (GET /console/api/boot). */
import { json } from './http';

export interface BootUser {
  username: string;
  groups: string[];
}

export interface BootConfig {
  title: string;
  version: string;
  languages: string[];
  defaultLanguage: string;
}

/** One front-end bundle of an enabled extension whose bytes the server has. */
export interface BootExtension {
  /** The JSBundle's name, unique in the cluster. */
  name: string;
  extensionName: string;
  link: string;
  /** Where to load it from: the link with its digest as a query, so that an old copy can never be taken for the new. */
  url: string;
  digest: string;
  /** Subresource integrity, `sha384-...`. */
  integrity: string;
  styleLink?: string;
  resourceVersion: string;
  /** Menu items declared by ExtensionEntry objects; they replace the menus in the bundle. */
  entries?: Record<string, unknown>[];
}

export interface Boot {
  user: BootUser;
  config: BootConfig;
  /** What the event stream calls this list of extensions; while it says the same there is nothing to ask again. */
  token: string;
  extensions: BootExtension[];
}

export const fetchBoot = (): Promise<Boot> => json<Boot>('/console/api/boot', { cache: 'no-cache' });
