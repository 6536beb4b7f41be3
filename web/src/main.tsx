/**
 * The entry: who is there? A user with a session gets the console, everybody else the login page; each is a chunk of its
 * own, so that the login page costs neither the component kit nor the loader.
 */
import { StrictMode } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { fetchBoot, type Boot } from './api/boot';
import { ApiError, setSessionLost } from './api/http';
import { isServers, loginPath, mustLogIn, safeNext } from './api/session';
import { language } from './i18n';
import { startTheme } from './theme';
import './base.css';

let root: Root | undefined;
const atLogin = (): boolean => location.pathname === '/login';

function mount(element: React.ReactNode): void {
  const container = document.getElementById('root');
  if (container === null) throw new Error('index.html has no #root');
  root ??= createRoot(container);
  root.render(<StrictMode>{element}</StrictMode>);
}

async function showLogin(): Promise<void> {
  if (!atLogin()) history.replaceState(null, '', loginPath(location));
  const { LoginPage } = await import('./login/LoginPage');
  mount(<LoginPage onLoggedIn={() => location.replace(safeNext(location.search))} />);
}

async function showConsole(boot: Boot): Promise<void> {
  const next = safeNext(location.search);
  if (atLogin() && isServers(next)) {
    location.replace(next);
    return;
  }
  if (atLogin()) history.replaceState(null, '', safeNext(location.search));
  const { Console } = await import('./console/Console');
  mount(<Console boot={boot} />);
}

async function showUnavailable(message: string): Promise<void> {
  const { Unavailable } = await import('./login/Unavailable');
  mount(<Unavailable message={message} onRetry={() => void start()} />);
}

async function start(): Promise<void> {
  if (atLogin() && mustLogIn(location.search)) return showLogin();
  try {
    await showConsole(await fetchBoot());
  } catch (error) {
    // 403: the session is good for choosing a new password only, which is the log-in page's business.
    if (error instanceof ApiError && (error.code === 401 || error.code === 403)) await showLogin();
    else await showUnavailable(error instanceof Error ? error.message : String(error));
  }
}

startTheme();
document.documentElement.lang = language();
// While the console is open a lost session leads to the login page and back to the same place.
setSessionLost(() => {
  if (root !== undefined && !atLogin()) location.assign(loginPath(location));
});
void start();
