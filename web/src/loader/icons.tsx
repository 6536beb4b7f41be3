/**
 * Icons of menu items by name. The names are those of the kit that older bundles were written for; the few that are in use
 * have a counterpart here, an unknown one gets a neutral placeholder instead of a broken page.
 */
import type { ComponentType, ReactNode } from 'react';
import {
  BellIcon, BookIcon, ChartLineIcon, ClusterIcon, CodeIcon, CogIcon, CubeIcon, CubesIcon, DatabaseIcon, FolderIcon,
  HomeIcon, KeyIcon, LockIcon, NetworkIcon, PuzzleIcon, ServerIcon, StorageIcon, UsersIcon,
} from '../ui/icons';

const BY_NAME: Readonly<Record<string, ComponentType>> = {
  cluster: ClusterIcon, appcenter: CubesIcon, application: CubeIcon, apps: CubesIcon, bell: BellIcon, book: BookIcon,
  chart: ChartLineIcon, cogwheel: CogIcon, dashboard: ChartLineIcon, database: DatabaseIcon, devops: CodeIcon,
  documentation: BookIcon, earth: NetworkIcon, enterprise: HomeIcon, firewall: LockIcon, folder: FolderIcon,
  gateway: NetworkIcon, home: HomeIcon, key: KeyIcon, lock: LockIcon, monitor: ChartLineIcon, network: NetworkIcon,
  nodes: ServerIcon, plugin: PuzzleIcon, project: FolderIcon, role: UsersIcon, router: NetworkIcon, server: ServerIcon,
  setting: CogIcon, storage: StorageIcon, strategy: KeyIcon, 'strategy-group': UsersIcon, group: UsersIcon, user: UsersIcon,
};

const kebab = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();

export function ExtensionIcon({ name }: { readonly name: string }): ReactNode {
  const Icon = BY_NAME[kebab(name)] ?? PuzzleIcon;
  return <Icon />;
}
