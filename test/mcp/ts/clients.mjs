// Uses the official TypeScript clients as their users do, against the app of shop_test.go: the current client at both kinds of
// revision, and the one before it, over HTTP and over the standard input and output of 'nexus mcp --stdio'. What goes wrong
// ends the script with an error.
//
//   NEXUS_MCP=http://127.0.0.1:3001/mcp NEXUS_TOKEN=nxs_… NEXUS=bin/nexus SERVICE=http://127.0.0.1:1234 node clients.mjs
import assert from 'node:assert/strict';

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const { NEXUS_MCP: url, NEXUS_TOKEN: key, NEXUS: nexus, SERVICE: service } = process.env;
const info = { name: 'test', version: '1.0.0' };
const invalidParams = -32602;

// The kind of the last reply to a POST: a whole JSON text, or a stream of events.
let kind;

// Over stdio there are no kinds.
const repliedWith = (want) => kind === undefined || assert.equal(kind, want);

const options = {
  requestInit: { headers: { 'X-API-Key': key } },
  async fetch(input, init) {
    const reply = await fetch(input, init);
    if (init?.method === 'POST') kind = reply.headers.get('content-type');
    return reply;
  },
};

const overHTTP = () => new StreamableHTTPClientTransport(new URL(url), options);

// As the configuration of a chat program or an editor has it.
const overStdio = () => new StdioClientTransport({
  command: nexus,
  args: ['mcp', '--stdio', '--server', new URL(url).origin],
  env: { NEXUS_TOKEN: key },
});

const at = (mode) => new Client(info, { versionNegotiation: { mode } });
const call = (client, params, more) => client.callTool(params, more);

const clients = [
  { name: 'client, 2026-07-28', client: at({ pin: '2026-07-28' }), transport: overHTTP(), call },
  { name: 'client, the newest it finds', client: at('auto'), transport: overHTTP(), call },
  { name: 'client, 2025-11-25', client: at('legacy'), transport: overHTTP(), call },
  { name: 'client over stdio, 2026-07-28', client: at({ pin: '2026-07-28' }), transport: overStdio(), call },
  { name: 'client over stdio, 2025-11-25', client: at('legacy'), transport: overStdio(), call },
  {
    name: 'sdk, 2025-11-25',
    client: new OldClient(info),
    transport: new OldTransport(new URL(url), options),
    call: (client, params, more) => client.callTool(params, undefined, more),
  },
];

async function speaks({ name, client }) {
  // The client before does not say what it speaks: there is only one revision that it can.
  const revision = client.getNegotiatedProtocolVersion?.() ?? '2025-11-25';
  assert.equal(revision, name.endsWith('2025-11-25') ? '2025-11-25' : '2026-07-28');
  assert.equal(client.getServerVersion().name, 'shop');
}

async function lists({ client }) {
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map((t) => t.name),
    ['add', 'ask', 'draw_picture', 'echo', 'opening-hours', 'order', 'refuse', 'steps']);
  const add = tools[0];
  assert.equal(add.title, 'Add');
  assert.equal(add.annotations.readOnlyHint, true);
  assert.deepEqual(add.inputSchema.required, ['a', 'b']);
  assert.deepEqual(add.outputSchema.required, ['sum']);
}

async function calls({ client, call }) {
  const sum = await call(client, { name: 'add', arguments: { a: 2, b: 3 } });
  assert.deepEqual(sum.structuredContent, { sum: 5 });
  assert.deepEqual(JSON.parse(sum.content[0].text), { sum: 5 });
  repliedWith('application/json');

  const inputs = { token: 'a', password: 'b', name: 'c', 'ünï cödé': '…' };
  assert.deepEqual((await call(client, { name: 'echo', arguments: inputs })).structuredContent, inputs);

  const picture = await call(client, { name: 'draw_picture' });
  assert.deepEqual(picture.content, [
    { type: 'text', text: 'A dot.' },
    { type: 'image', mimeType: 'image/png', data: 'aGVsbG8=' },
  ]);
}

async function fails({ client, call }) {
  for (const [name, code] of [['refuse', 'workflow_failed'], ['close-shop', 'forbidden']]) {
    const result = await call(client, { name, arguments: {} });
    assert.equal(result.isError, true);
    const problem = JSON.parse(result.content[0].text);
    assert.equal(problem.code, code);
    assert.deepEqual(result._meta['nexus.dev/problem'], problem);
  }
  for (const params of [{ name: 'add', arguments: { a: 'two', b: 3 } }, { name: 'missing', arguments: {} }]) {
    await assert.rejects(call(client, params), (e) => e.code === invalidParams && typeof e.data.requestId === 'string');
  }
}

async function follows({ client, call }) {
  const progress = [];
  const result = await call(client, { name: 'steps', arguments: {} }, { onprogress: (p) => progress.push(p.progress) });
  assert.deepEqual(result.structuredContent, { step: 3 });
  if (kind === undefined) return; // over stdio the client drops what it reads in one piece with the result
  repliedWith('text/event-stream');
  assert.ok(progress.length >= 3, `progress was told ${progress.length} times`);
  assert.deepEqual(progress, progress.toSorted((a, b) => a - b));
}

async function reads({ client }) {
  const { resources } = await client.listResources();
  const uris = resources.map((r) => r.uri);
  assert.ok(uris.includes('shop://opening-hours') && uris.includes('workflow://add'), uris.join());
  const { resourceTemplates } = await client.listResourceTemplates();
  assert.ok(resourceTemplates.some((r) => r.uriTemplate === 'shop://orders/{id}'));
  const hours = await client.readResource({ uri: 'shop://opening-hours' });
  assert.equal(hours.contents[0].text, 'From nine to five.');
  const order = await client.readResource({ uri: 'shop://orders/41' });
  assert.deepEqual(JSON.parse(order.contents[0].text), { id: 41, next: 42 });
  await assert.rejects(client.readResource({ uri: 'shop://nothing' }));
}

async function prompts({ client }) {
  const listed = await client.listPrompts();
  assert.deepEqual(listed.prompts.map((p) => [p.name, p.arguments[0].name]), [['review', 'order']]);
  const got = await client.getPrompt({ name: 'review', arguments: { order: '4711' } });
  assert.equal(got.messages[0].content.text, 'Review order 4711.');
  const completed = await client.complete({ ref: { type: 'ref/prompt', name: 'review' }, argument: { name: 'order', value: '47' } });
  assert.deepEqual(completed.completion.values, ['4711', '4712']);
}

// Waits until the service tells of an event. Only a failure takes so long, and less than the app's own limit of a request.
const happened = (event) => fetch(`${service}/${event}`, { signal: AbortSignal.timeout(30_000) });

// Gives up a call while a service is being asked: the run ends with it.
async function cancels({ client, call }) {
  const given = new AbortController();
  const ended = assert.rejects(call(client, { name: 'ask', arguments: {} }, { signal: given.signal }));
  await happened('arrived');
  given.abort();
  await ended;
  await happened('left');
}

// Nobody gets in without a key.
async function knocks() {
  const stranger = new Client(info);
  await assert.rejects(stranger.connect(new StreamableHTTPClientTransport(new URL(url))));
}

await knocks();
for (const c of clients) {
  kind = undefined;
  await c.client.connect(c.transport);
  for (const part of [speaks, lists, calls, fails, follows, reads, prompts, cancels]) {
    try {
      await part(c);
    } catch (e) {
      throw new Error(`${c.name}: ${part.name}`, { cause: e });
    }
  }
  await c.client.close();
  console.log(`${c.name}: ok`);
}
