/* The platform's OpenAPI documents in Swagger UI, read with the console's session: the browser sends its cookie. */
(() => {
  'use strict';

  const FIRST = 'iam.kubesphere.io/v1beta1';
  const page = document.getElementById('page');

  const say = (text, href, label) => {
    const message = document.createElement('p');
    message.className = 'message';
    message.textContent = `${text} `;
    if (href) {
      const link = document.createElement('a');
      link.href = href;
      link.textContent = label;
      message.append(link);
    }
    page.replaceChildren(message);
  };

  const show = (index) => {
    const names = Object.keys(index.paths).sort();
    const documents = names.map((name) => ({ name: name.replace(/^kapis\//, ''), url: index.paths[name].serverRelativeURL }));
    window.ui = window.SwaggerUIBundle({
      domNode: page,
      urls: [...documents, { name: 'everything', url: '/openapi/v2/kapis' }],
      'urls.primaryName': FIRST, // everything is hundreds of operations: whoever wants it waits for it
      presets: [window.SwaggerUIBundle.presets.apis, window.SwaggerUIStandalonePreset],
      layout: 'StandaloneLayout',
      deepLinking: true,
      defaultModelsExpandDepth: -1, // each operation shows its own
      validatorUrl: null,
      persistAuthorization: false,
    });
  };

  fetch('/openapi/v3/kapis', { headers: { Accept: 'application/json' } })
    .then(async (answer) => {
      if (answer.status === 401) say('Sign in to the console to see the APIs of this platform.', '/login', 'Sign in');
      else if (!answer.ok) say(`The list of APIs cannot be read: ${(await answer.json()).message ?? answer.status}`);
      else show(await answer.json());
    })
    .catch(() => say('The platform cannot be reached. Reload the page to try again.'));
})();
