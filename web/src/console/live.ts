/** The page's one event stream, as React sees it: is it connected, and what is asked again when it speaks. */
import type { QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { fetchBoot, type Boot } from '../api/boot';
import { connect } from '../loader/live';

/** Until the stream has failed once it counts as there: a page that is still opening it has not lost anything. */
let connected = true;
const listeners = new Set<() => void>();

function setConnected(value: boolean): void {
  if (connected === value) return;
  connected = value;
  for (const listener of [...listeners]) listener();
}

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useConnected = (): boolean => useSyncExternalStore(subscribe, () => connected);

/** Follows the stream: a new boot document for `onBoot`, the catalogue's queries asked again. Returns how to stop. */
export function follow(token: string, queries: QueryClient, catalogueKey: string, onBoot: (boot: Boot) => void): () => void {
  let latest = 0;
  const refresh = (): void => {
    const turn = ++latest;
    fetchBoot().then(
      (boot) => turn === latest && onBoot(boot),
      () => undefined, // Said by the connection state; the next event or reconnect asks again.
    );
  };
  const handlers = {
    onBundles: refresh,
    onCatalogue: () => void queries.invalidateQueries({ queryKey: [catalogueKey] }),
    onConnected: setConnected,
  };
  const close = connect(handlers, token);
  return () => {
    latest += 1;
    close();
  };
}
