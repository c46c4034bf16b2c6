Feature: Beyond the schema
  What the text of the specification or good sense allows, although its schema does not. The
  schema test lists each of these.

  Scenario: Query parameters may be numbers and booleans
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything', query: {page: 2, all: true}}}}]
    When the workflow is executed
    Then the workflow should complete
    And request 1 to 'httpbin.org' should be 'GET /anything?all=true&page=2'

  Scenario: Headers may be numbers and booleans
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything', headers: {X-Page: 2, X-All: true}}}}]
    When the workflow is executed
    Then the workflow should complete
    And request 1 to 'httpbin.org' should have the header 'X-Page' with value '2'
    And request 1 to 'httpbin.org' should have the header 'X-All' with value 'true'

  Scenario: An inline array may hold any values
    Given a workflow that does [{loop: {for: {in: [1, two, null]}, do: [{note: {set: '${ (. // []) + [$item] }'}}]}}]
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [1, two, null]
    """

  Scenario: The input of another workflow may be an expression
    Given a workflow that does [{ask: {run: {workflow: {namespace: default, name: look, version: latest, input: '${ .order }'}}}}]
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: look, version: '1.0.0'}
    do:
    - look: {set: '${ . }'}
    """
    And given the workflow input is:
    """yaml
    order: [7]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [7]
    """

  Scenario: The status of an error may be an expression
    Given a workflow that does [{refuse: {raise: {error: {type: 'https://example.com/x', status: '${ .status }'}}}}]
    And given the workflow input is:
    """yaml
    status: 409
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.com/x', status: 409, instance: /do/0/refuse}
    """

  Scenario: The parameters of an OpenAPI call may be an expression
    Given a workflow that does [{get: {call: openapi, with: {document: {endpoint: 'https://petstore.swagger.io/v2/swagger.json'}, operationId: getPetById, parameters: '${ . }'}, output: {as: .id}}}]
    And given the workflow input is:
    """yaml
    petId: 3
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    3
    """

  Scenario: The arguments of a function may be an expression
    Given a workflow that has:
    """yaml
    use: {functions: {twice: {set: '${ .n * 2 }'}}}
    do:
    - go: {call: twice, with: '${ {n: .count} }'}
    """
    And given the workflow input is:
    """yaml
    count: 21
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    42
    """

  Scenario: The headers of an MCP call may be an expression
    Given a workflow that does [{list: {call: mcp, with: {method: tools/list, transport: {http: {endpoint: 'https://mcp.example.com/mcp', headers: '${ .headers }'}}}, output: {as: .tools | length}}}]
    And given the workflow input is:
    """yaml
    headers: {X-A: b}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    3
    """
