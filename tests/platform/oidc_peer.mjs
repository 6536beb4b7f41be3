// An OpenID provider by others: npm's oidc-provider, with its own pages for logging in and agreeing.
// Arguments: the module's file, the port, the redirect address. Whoever logs in as NAME is NAME.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const [, , file, port, redirect] = process.argv;
const { default: Provider } = await import(pathToFileURL(file));
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  clients: [
    { client_id: 'dovetail', client_secret: 'peer-secret:/+', redirect_uris: [redirect] },
    {
      client_id: 'oauth2', client_secret: 'peer-secret:/+', redirect_uris: [redirect],
      token_endpoint_auth_method: 'client_secret_post',
    },
  ],
  claims: {
    openid: ['sub'], profile: ['preferred_username', 'name', 'groups', 'id', 'login', 'username'],
    email: ['email', 'email_verified'],
  },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id, preferred_username: id.replace('id-', ''), name: `Peer ${id}`, email: `${id}@peer.example`,
      email_verified: !id.includes('unverified'), groups: ['staff', 'system:masters'],
      id: Number.parseInt(id.slice(-6), 16), login: id.replace('id-', ''), username: id.replace('id-', ''),
    }),
  }),
});
const server = createServer(provider.callback());
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('listening\n'));
