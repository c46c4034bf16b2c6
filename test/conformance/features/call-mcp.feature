Feature: Call MCP
  Tools, prompts and resources of a real MCP server.

  Scenario: A tool is called with arguments, and its result is the output
    Given a workflow that has:
    """yaml
    do:
    - say:
        call: mcp
        with:
          protocolVersion: '2025-06-18'
          method: tools/call
          parameters: {name: echo, arguments: {text: '${ .text }', n: 2}}
          transport: {http: {endpoint: 'https://mcp.example.com/mcp', headers: {X-Trace: '${ .trace }'}}}
          client: {name: shop, version: '1.0.0'}
        output: {as: '{structured: .structuredContent, kind: .content[0].type}'}
    """
    And given the workflow input is:
    """yaml
    {text: hello, trace: t1}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {structured: {text: hello, n: 2}, kind: text}
    """
    And request 1 to 'mcp.example.com' should have the header 'X-Trace' with value 't1'

  Scenario Outline: Every method
    Given a workflow that does [{ask: {call: mcp, with: {method: <method>, parameters: <parameters>, transport: {http: {endpoint: 'https://mcp.example.com/mcp'}}}, output: {as: '<look>'}}}]
    When the workflow is executed
    Then the workflow should complete with the output <output>

    Examples:
      | method                   | parameters                               | look                             | output                          |
      | tools/list               | {}                                       | [.tools[].name]                  | [break, echo, fail]             |
      | tools/call               | {name: echo, arguments: {a: 1}}          | .structuredContent               | {a: 1}                          |
      | tools/call               | '${ {name: "echo", arguments: {b: 2}} }' | .structuredContent               | {b: 2}                          |
      | prompts/list             | {}                                       | [.prompts[].name]                | [greet]                         |
      | prompts/get              | {name: greet, arguments: {who: Ada}}     | .messages[0].content.text        | Greet Ada                       |
      | resources/list           | {}                                       | [.resources[].uri]               | ['file:///readme']              |
      | resources/read           | {uri: 'file:///readme'}                  | .contents[0].text                | 'the text of file:///readme'    |
      | resources/templates/list | {}                                       | [.resourceTemplates[].name]      | [orders]                        |

  Scenario: Credentials go with every request
    Given a workflow that has:
    """yaml
    use: {secrets: [mcp]}
    do:
    - say:
        call: mcp
        with:
          method: tools/call
          parameters: {name: echo, arguments: {a: 1}}
          transport: {http: {endpoint: {uri: 'https://mcp.example.com/private/mcp', authentication: {bearer: {use: mcp}}}}}
        output: {as: .structuredContent}
    """
    And the secret 'mcp' is:
    """yaml
    mcp-token
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    """
    And 'mcp-token' should appear nowhere

  Scenario Outline: What goes wrong at the server is a runtime error
    Given a workflow that does [{say: {call: mcp, with: {method: <method>, parameters: <parameters>, transport: {http: {endpoint: 'https://mcp.example.com/mcp'}}}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'runtime', status 500, at '/do/0/say'
    And 'internal' should appear nowhere

    Examples:
      | method         | parameters                  |
      | tools/call     | {name: fail}                |
      | tools/call     | {name: break}               |
      | tools/call     | {name: missing}             |
      | prompts/get    | {name: missing}             |
      | resources/read | {uri: 'file:///missing'}    |

  Scenario: A server that is not there is a communication error
    Given a workflow that does [{say: {call: mcp, with: {method: tools/list, transport: {http: {endpoint: 'https://gone.example.com/mcp'}}}}}]
    And the app allows calls to 'gone.example.com:443' only
    When the workflow is executed
    Then the workflow should fault with an error of type 'communication', status 503, at '/do/0/say'

  Scenario: A call that takes too long
    Given a workflow that does [{say: {call: mcp, with: {method: tools/list, timeout: {seconds: 5}, transport: {http: {endpoint: 'https://httpbin.org/hang/mcp'}}}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'timeout', status 408, at '/do/0/say'
    And the run should take 5s

  Scenario: A host that the app may not call
    Given a workflow that does [{say: {call: mcp, with: {method: tools/list, transport: {http: {endpoint: 'https://mcp.example.com/mcp'}}}}}]
    And the app allows calls to 'httpbin.org:443' only
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/say/with/transport/http/endpoint' because spec.egress.allow

  Scenario: Credentials that the server does not take
    Given a workflow that does [{ask: {call: mcp, with: {method: tools/list, transport: {http: {endpoint: {uri: 'https://mcp.example.com/private/mcp', authentication: {bearer: {token: wrong-one}}}}}}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'communication', status 401, at '/do/0/ask'
    And 'wrong-one' should appear nowhere
