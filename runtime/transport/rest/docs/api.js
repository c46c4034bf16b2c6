// What the page knows of the API: its description, and how it is called.

/** The page is at /docs; what it calls is beside it, wherever a proxy puts both. */
const base = new URL('.', document.baseURI);

/** The URL of a path of the API. */
export const url = (path) => new URL(path.replace(/^\//, ''), base);

// The credential is kept here and nowhere else.
let credential = '';

export function useCredential(text) { credential = text.trim(); }

/** Whether there is a credential. */
export const hasCredential = () => credential !== '';

/** Calls a path. The error of a call that got no reply says so. */
export async function call(method, path, { body, headers = {} } = {}) {
  const all = { ...headers };
  if (body !== undefined) all['Content-Type'] = 'application/json';
  if (credential) all.Authorization = 'Bearer ' + credential;
  // No cookie and no login of the browser's own may stand in for the credential.
  return fetch(url(path), { method, headers: all, body, credentials: 'omit', cache: 'no-store' });
}

/** The command that makes the same call. The credential is not in it: the shell has it. */
export function command(method, path, body, headers = {}) {
  const quoted = (s) => "'" + s.replaceAll("'", "'\\''") + "'";
  const lines = [`curl -X ${method} ${quoted(url(path).href)}`];
  if (credential) lines.push('-H "Authorization: Bearer $NEXUS_TOKEN"');
  for (const [name, value] of Object.entries(headers)) lines.push('-H ' + quoted(`${name}: ${value}`));
  if (body !== undefined) lines.push("-H 'Content-Type: application/json'", '-d ' + quoted(body));
  return lines.join(' \\\n  ');
}

/** Follows the references of a schema within the description. */
export function resolve(doc, schema) {
  for (let hops = 0; hops < 8 && schema && typeof schema.$ref === 'string'; hops++) {
    let target = doc;
    for (const token of decodeURIComponent(schema.$ref.slice(1)).split('/').slice(1)) {
      target = target?.[token.replaceAll('~1', '/').replaceAll('~0', '~')];
    }
    const { $ref, ...beside } = schema;
    schema = { ...target, ...beside };
  }
  return schema ?? {};
}

/** The workflows of a description. */
export function workflowsOf(doc) {
  const found = new Map();
  for (const [path, methods] of Object.entries(doc.paths)) {
    const name = path.match(/^\/workflows\/([^/{}]+)\/execute$/)?.[1];
    if (!name) continue;
    const { post } = methods;
    const request = resolve(doc, post.requestBody.content['application/json'].schema);
    const result = resolve(doc, post.responses['200'].content['application/json'].schema);
    found.set(name, {
      name, path, title: post.summary, summary: post.description ?? '', tags: post.tags ?? [], routes: [],
      input: resolve(doc, request.properties.inputs), output: resolve(doc, result.properties.outputs),
    });
  }
  for (const [path, methods] of Object.entries(doc.paths)) {
    if (path.startsWith('/workflows/')) continue;
    for (const [method, { operationId }] of Object.entries(methods)) {
      const owner = found.get(operationId.split('_')[0]);
      if (owner) owner.routes.push({ method: method.toUpperCase(), path });
    }
  }
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name));
}
