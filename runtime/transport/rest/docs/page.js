// The page: it lists workflows, runs them, and shows what came back.
import { call, command, hasCredential, useCredential, workflowsOf } from './api.js';
import { element, inputs } from './form.js';

const at = (id) => document.getElementById(id);
const main = at('workflow');
let doc;

function notice(text, bad = false) {
  main.replaceChildren(element('p', { id: 'notice', role: 'status', class: bad ? 'bad' : undefined }, text));
}

/** JSON with line breaks and colours, every digit as it came. */
function pretty(text) {
  const out = element('pre', { tabindex: '0' });
  const largest = 300_000;
  try { JSON.parse(text); } catch { out.textContent = text; return out; }
  if (text.length > largest) { out.textContent = text; return out; }
  let depth = 0;
  const line = () => '\n' + '  '.repeat(depth);
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  tokens.forEach((token, i) => {
    const next = tokens[i + 1];
    switch (token) {
      case '{': case '[':
        if (next === '}' || next === ']') { out.append(token); return; }
        depth++;
        out.append(token + line());
        return;
      case '}': case ']':
        if (tokens[i - 1] === '{' || tokens[i - 1] === '[') { out.append(token); return; }
        depth--;
        out.append(line() + token);
        return;
      case ',': out.append(token + line()); return;
      case ':': out.append(': '); return;
    }
    const kind = token[0] === '"' ? (next === ':' ? 'k' : 's') : /[tfn]/.test(token[0]) ? 'w' : 'n';
    out.append(element('span', { class: kind }, token));
  });
  return out;
}

/** What the headers tell of limits. */
function limits(headers) {
  const left = headers.get('RateLimit')?.match(/^"([^"]+)";r=(\d+);t=(\d+)/);
  if (!left) return '';
  const quota = headers.get('RateLimit-Policy')?.split(', ').find((p) => p.startsWith(`"${left[1]}"`))?.match(/;q=(\d+);w=(\d+)/);
  return `${left[2]} calls left` + (quota ? `, ${quota[1]} in ${quota[2]} s` : '') + ` (${left[1]})`;
}

/** Copies a text; without a clipboard there is nothing to press. */
function copier(text) {
  if (!navigator.clipboard) return '';
  const button = element('button', { type: 'button', class: 'small', click: async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = 'Copied';
  } }, 'Copy');
  return button;
}

/** Shows a reply in a panel, and its events as they come. */
async function show(panel, reply, started) {
  const kind = reply.ok ? 'good' : reply.status >= 500 ? 'bad' : '';
  const took = () => `${Math.round(performance.now() - started)} ms`;
  const time = element('span', { class: 'soft' }, took());
  const facts = element('div', { class: 'facts' },
    element('span', { class: `status ${kind}`, id: 'status' }, `${reply.status} ${reply.statusText}`.trim()), time);
  const limit = limits(reply.headers);
  if (limit) facts.append(element('span', { class: 'soft', id: 'limit' }, limit));
  const rows = [...reply.headers].map(([name, value]) => element('tr', {}, element('th', { scope: 'row' }, name), element('td', {}, value)));
  const headers = element('details', {}, element('summary', {}, 'Headers'), element('table', {}, ...rows));
  const events = reply.headers.get('Content-Type')?.startsWith('text/event-stream');
  let text = '';
  let body = element('pre', { id: 'reply', tabindex: '0' });
  panel.replaceChildren(element('div', { class: 'bar' }, element('h3', {}, 'Reply'), copier(() => text)), facts, body, headers);
  if (!events) {
    text = await reply.text();
    const shown = pretty(text.trim());
    shown.id = 'reply';
    body.replaceWith(shown);
  } else {
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += part.value;
      body.textContent = text;
      body.scrollTop = body.scrollHeight;
    }
  }
  time.textContent = took();
  const execution = reply.status === 202 && reply.headers.get('Location');
  if (execution) {
    panel.append(element('div', { class: 'run' }, element('button', { type: 'button', click: () => ask(panel, 'GET', execution) }, 'Ask how it stands'),
      element('button', { type: 'button', click: () => ask(panel, 'DELETE', execution) }, 'Cancel it')));
  }
  panel.setAttribute('aria-busy', 'false');
}

/** Calls, and shows what came of it. */
async function ask(panel, method, path, options) {
  panel.hidden = false;
  panel.setAttribute('aria-busy', 'true');
  const started = performance.now();
  try {
    await show(panel, await call(method, path, options), started);
  } catch (e) {
    panel.replaceChildren(element('h3', {}, 'No reply'), element('p', { class: 'soft' }, e.message));
    panel.setAttribute('aria-busy', 'false');
  }
}

function schemaDetails(title, schema) {
  if (!schema || Object.keys(schema).length === 0) return '';
  return element('details', {}, element('summary', {}, title), pretty(JSON.stringify(schema)));
}

/** Shows a workflow. */
function open(workflow) {
  for (const button of at('list').querySelectorAll('button')) {
    if (button.dataset.name === workflow.name) button.setAttribute('aria-current', 'page');
    else button.removeAttribute('aria-current');
  }
  history.replaceState(null, '', '#' + encodeURIComponent(workflow.name));
  const about = element('section', { class: 'panel', 'aria-label': 'Workflow' },
    element('div', { class: 'title' }, element('h2', {}, workflow.title), workflow.title === workflow.name ? '' : element('code', { class: 'soft' }, workflow.name)),
    workflow.summary ? element('p', {}, workflow.summary) : '',
    element('div', { class: 'chips' },
      ...[{ method: 'POST', path: workflow.path }, ...workflow.routes].map((r) => element('span', { class: 'chip route' }, element('b', {}, r.method), ' ' + r.path)),
      ...workflow.tags.filter((t) => t !== 'workflows').map((t) => element('span', { class: 'chip' }, t))),
    schemaDetails('Schema of the inputs', workflow.input), schemaDetails('Schema of the output', workflow.output));

  const shown = element('pre', { id: 'curl', tabindex: '0' });
  const mode = element('select', { id: 'mode', change: () => changed() },
    ...[['sync', 'wait for the reply'], ['async', 'start it, ask later'], ['stream', 'follow its events']].map(([value, text]) => element('option', { value }, text)));
  const body = () => {
    const text = form.text();
    return text === null ? null : `{"inputs": ${text}` + (mode.value === 'sync' ? '}' : `, "mode": "${mode.value}"}`);
  };
  function changed() {
    const text = body();
    if (text !== null) shown.textContent = command('POST', workflow.path, text);
  }
  const form = inputs(doc, workflow, () => changed());
  const asForm = element('button', { type: 'button', 'aria-pressed': String(form.hasForm), click: () => change(false) }, 'Form');
  const asJSON = element('button', { type: 'button', 'aria-pressed': String(!form.hasForm), click: () => change(true) }, 'JSON');
  function change(toJSON) {
    if (!form.change(toJSON)) { form.focus(); return; }
    asForm.setAttribute('aria-pressed', String(!toJSON));
    asJSON.setAttribute('aria-pressed', String(toJSON));
    changed();
  }
  const reply = element('section', { class: 'panel', id: 'answer', 'aria-label': 'Reply', 'aria-live': 'polite', hidden: true });
  const run = element('button', { type: 'submit', class: 'main', id: 'run' }, 'Run');
  const edited = element('form', { class: 'panel', 'aria-label': 'Inputs', novalidate: true, submit: async (event) => {
    event.preventDefault();
    const text = body();
    if (text === null) { form.focus(); return; }
    run.disabled = true;
    await ask(reply, 'POST', workflow.path, { body: text });
    run.disabled = false;
  } },
  element('div', { class: 'bar' }, element('h3', {}, 'Inputs'),
    element('button', { type: 'button', class: 'small', click: () => { form.fill(); changed(); } }, 'Fill in an example'),
    form.hasForm ? element('div', { class: 'segments', role: 'group', 'aria-label': 'Edit as' }, asForm, asJSON) : ''),
  ...form.nodes, element('div', { class: 'run' }, run, element('label', { for: 'mode' }, 'and'), mode));
  const curl = element('section', { class: 'panel', 'aria-label': 'Command' },
    element('div', { class: 'bar' }, element('h3', {}, 'The same with curl'), copier(() => shown.textContent)), shown);
  main.replaceChildren(about, edited, reply, curl);
  changed();
}

/** Lists the workflows whose name, title or tags hold a text. */
function list(workflows, text) {
  const wanted = text.trim().toLowerCase();
  const found = workflows.filter((w) => [w.name, w.title, w.summary, ...w.tags].join('\n').toLowerCase().includes(wanted));
  at('list').replaceChildren(...found.map((w) => element('li', {}, element('button', { type: 'button', 'data-name': w.name, click: () => { open(w); main.focus(); } },
    w.title, w.title === w.name ? '' : element('small', {}, w.name)))));
}

/** Reads the description, as far as the credential opens it. */
async function load() {
  let reply;
  try {
    reply = await call('GET', 'openapi.json');
  } catch (e) {
    notice(`The app does not answer: ${e.message}`, true);
    return;
  }
  if (!reply.ok) {
    const problem = await reply.json().catch(() => ({}));
    at('list').replaceChildren();
    notice(problem.detail ? `${problem.title}: ${problem.detail}.` : `The app answers ${reply.status}.`, true);
    if (reply.status === 401) at('credential').focus();
    return;
  }
  doc = await reply.json();
  at('app').textContent = doc.info.title;
  document.title = `${doc.info.title} API`;
  const workflows = workflowsOf(doc);
  at('filter').oninput = () => list(workflows, at('filter').value);
  list(workflows, at('filter').value);
  let named = location.hash.slice(1);
  try { named = decodeURIComponent(named); } catch { /* no name of ours */ }
  const first = workflows.find((w) => w.name === named) ?? workflows[0];
  if (first) open(first);
  else notice('There is no workflow that you may run.');
}

at('login').addEventListener('submit', (event) => {
  event.preventDefault();
  useCredential(at('credential').value);
  load();
});
// The description, too, is for those who may call: a link to it would come without the credential.
const needed = document.documentElement.dataset.auth === 'Required';
at('login').hidden = !needed;
at('description').hidden = needed;
if (needed && !hasCredential()) {
  notice('This app asks for a credential: type in an API key or a token, and press Use.');
  at('credential').focus();
} else {
  load();
}
