/**
 * Live changes: the server's event stream says that something changed, never what; the page then asks again, as the
 * user. `bundles` changes with the list of bundles, `catalogue` with extensions, versions and install plans.
 */

export interface Tokens {
  readonly bundles: string;
  readonly catalogue: string;
}

export interface LiveHandlers {
  onBundles(): void;
  onCatalogue(): void;
  onConnected(connected: boolean): void;
}

const RECONNECT_MS = 3_000;

export function readTokens(data: string): Tokens {
  const value = JSON.parse(data) as Partial<Tokens>;
  return { bundles: String(value.bundles ?? ''), catalogue: String(value.catalogue ?? '') };
}

/** Calls the handlers for what differs from the last tokens. */
export function compare(before: Tokens, after: Tokens, handlers: LiveHandlers): void {
  if (before.bundles !== after.bundles) handlers.onBundles();
  if (before.catalogue !== after.catalogue) handlers.onCatalogue();
}

/** Opens the stream and keeps it open; `bundles` is the token of the list at hand. Returns how to close it. */
export function connect(handlers: LiveHandlers, bundles: string, url = '/console/api/events'): () => void {
  let tokens: Tokens = { bundles, catalogue: '' };
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const open = (): void => {
    source = new EventSource(url);
    source.addEventListener('open', () => handlers.onConnected(true));
    source.addEventListener('change', (event: MessageEvent<string>) => {
      const next = readTokens(event.data);
      compare(tokens, next, handlers);
      tokens = next;
    });
    source.addEventListener('error', () => {
      handlers.onConnected(false);
      if (source?.readyState !== EventSource.CLOSED) return;
      // The server refused (a token that aged, a restart): ask for the list, which renews the session, then try again.
      handlers.onBundles();
      timer = setTimeout(open, RECONNECT_MS);
    });
  };
  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
