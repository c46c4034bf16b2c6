// The server that 'make bench' compares the runtime with: one tool, served by the official TypeScript SDK as its documentation
// says, without state and without credentials or limits. Prints its address once it listens.
//
//   node server.mjs SCHEMA.json
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, fromJsonSchema, McpServer } from '@modelcontextprotocol/server';

// Compiled once: what a server makes for each request must not compile it again.
const inputSchema = fromJsonSchema(JSON.parse(readFileSync(process.argv[2], 'utf8')));

function newServer() {
  const server = new McpServer({ name: 'bench', version: '1.0.0' });
  server.registerTool('quote', { description: 'Repeats an order.', inputSchema }, ({ customer, items }) => {
    const structuredContent = { customer, items };
    return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
  });
  return server;
}

const modern = toNodeHandler(createMcpHandler(newServer));

// For older revisions that handler streams its replies.
async function dated(req, res) {
  const server = newServer();
  const transport = new NodeStreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
  await server.connect(transport);
  await transport.handleRequest(req, res);
}

const http = createServer((req, res) => (req.headers['mcp-protocol-version'] >= '2026-07-28' ? modern : dated)(req, res));
http.keepAliveTimeout = 60_000;
http.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${http.address().port}`));
