import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { compare, connect, readTokens, type LiveHandlers } from './live';

class Source extends EventTarget {
  static readonly CLOSED = 2;
  static all: Source[] = [];
  readyState = 1;
  close = vi.fn();
  constructor(readonly url: string) {
    super();
    Source.all.push(this);
  }
  change(bundles: string, catalogue: string): void {
    this.dispatchEvent(new MessageEvent('change', { data: JSON.stringify({ bundles, catalogue }) }));
  }
}

const handlers = (): LiveHandlers => ({ onBundles: vi.fn(), onCatalogue: vi.fn(), onConnected: vi.fn() });

beforeEach(() => {
  Source.all = [];
  vi.stubGlobal('EventSource', Source);
  vi.useFakeTimers();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it('calls only what differs', () => {
  const on = handlers();
  compare({ bundles: '1', catalogue: '1' }, { bundles: '1', catalogue: '2' }, on);
  expect(on.onBundles).not.toHaveBeenCalled();
  expect(on.onCatalogue).toHaveBeenCalledOnce();
});

it('reads tokens of any shape as text', () => {
  expect(readTokens('{"bundles": 7}')).toEqual({ bundles: '7', catalogue: '' });
});

it('follows changes and says whether it is connected', () => {
  const on = handlers();
  const close = connect(on, '1');
  const source = Source.all[0]!;
  source.dispatchEvent(new Event('open'));
  expect(on.onConnected).toHaveBeenLastCalledWith(true);
  source.change('1', '1');
  source.change('1', '1');
  source.change('2', '1');
  expect(on.onBundles).toHaveBeenCalledTimes(1);
  close();
  expect(source.close).toHaveBeenCalledOnce();
});

it('leaves reconnecting to the browser, unless the stream was refused', () => {
  const on = handlers();
  const close = connect(on, '1');
  const source = Source.all[0]!;
  source.dispatchEvent(new Event('error'));
  expect(on.onConnected).toHaveBeenLastCalledWith(false);
  vi.runAllTimers();
  expect(Source.all).toHaveLength(1);
  source.readyState = Source.CLOSED;
  source.dispatchEvent(new Event('error'));
  vi.runAllTimers();
  expect(Source.all).toHaveLength(2);
  close();
});
