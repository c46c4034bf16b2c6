Feature: Call OpenAPI
  Operations of documents of each version, from a ConfigMap and from a URL.

  Scenario: Parameters and body of an operation (OpenAPI 3.0, YAML, by URL)
    Given a workflow that has:
    """yaml
    do:
    - replace:
        call: openapi
        with:
          document: {endpoint: 'https://httpbin.org/openapi-3.0.yaml'}
          operationId: replaceOrder
          parameters: {id: '${ .id }', notify: true, X-Trace: abc, body: {items: '${ .items }'}}
    """
    And given the workflow input is:
    """yaml
    {id: a b, items: [1]}
    """
    When the workflow is executed
    Then the workflow should complete
    And request 2 to 'httpbin.org' should be 'PUT /anything/orders/a%20b?notify=true'
    And request 2 to 'httpbin.org' should have the header 'X-Trace' with value 'abc'
    And request 2 to 'httpbin.org' should have the body '{"items":[1]}'

  Scenario: A document behind credentials, and lists in the query (OpenAPI 3.1, JSON, by URL)
    Given a workflow that has:
    """yaml
    do:
    - list:
        call: openapi
        with:
          document: {endpoint: {uri: 'https://httpbin.org/private/openapi-3.1.json', authentication: {bearer: {token: document-token}}}}
          operationId: listOrders
          parameters: {tag: [new, hot]}
          authentication: {bearer: {token: call-token}}
          output: response
        output: {as: .statusCode}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    200
    """
    And request 2 to 'httpbin.org' should be 'GET /anything/orders?tag=new&tag=hot'
    And request 2 to 'httpbin.org' should have the header 'Authorization' with value 'Bearer call-token'

  Scenario: A document in a ConfigMap (OpenAPI 2.0)
    Given a workflow that has:
    """yaml
    do:
    - add:
        call: openapi
        with:
          document: {endpoint: 'configmap:apis/pets.yaml'}
          operationId: addPet
          parameters: {pet: {name: Rex}, dryRun: false}
        output: {as: '{method, url, json}'}
    """
    And the ConfigMap entry 'apis/pets.yaml' is:
    """yaml
    swagger: '2.0'
    info: {title: Pets, version: 1.0.0}
    host: httpbin.org
    basePath: /anything
    schemes: [https]
    paths:
      /pets:
        post:
          operationId: addPet
          consumes: [application/json]
          parameters:
          - {name: pet, in: body, required: true, schema: {type: object}}
          - {name: dryRun, in: query, type: boolean}
          responses: {200: {description: ok}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {method: POST, url: 'https://httpbin.org/anything/pets?dryRun=false', json: {name: Rex}}
    """

  Scenario: Credentials from a secret
    Given a workflow that has:
    """yaml
    use:
      secrets: [api]
      authentications: {api: {bearer: {use: api}}}
    do:
    - list:
        call: openapi
        with:
          document: {endpoint: 'https://petstore.swagger.io/v2/swagger.json'}
          operationId: getPetById
          parameters: {petId: 5}
          authentication: {use: api}
        output: {as: .id}
    """
    And the secret 'api' is:
    """yaml
    api-token-1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    5
    """
    And request 1 to 'petstore.swagger.io' should not have the header 'Authorization'
    And request 2 to 'petstore.swagger.io' should have the header 'Authorization' with value 'Bearer api-token-1'
    And 'api-token-1' should appear nowhere

  Scenario Outline: Parameters that the operation does not take, or lacks
    Given a workflow that does [{get: {call: openapi, with: {document: {endpoint: 'https://petstore.swagger.io/v2/swagger.json'}, operationId: getPetById, parameters: <parameters>}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type '<type>', status 400, at '/do/0/get'
    And the error detail should mention '<words>'

    Examples:
      | parameters        | type            | words                  |
      | {}                | expression      | petId is required      |
      | {petID: 1}        | configuration   | does not fit           |

  Scenario: An operation that is not there, in a document of a ConfigMap
    Given a workflow that does [{get: {call: openapi, with: {document: {endpoint: 'configmap:apis/a.json'}, operationId: listPet}}}]
    And the ConfigMap entry 'apis/a.json' is:
    """json
    {"openapi": "3.1.0", "info": {"title": "a", "version": "1"}, "servers": [{"url": "https://httpbin.org"}], "paths": {"/pets": {"get": {"operationId": "listPets", "responses": {}}}}}
    """
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/get/with/operationId' because listPets

  Scenario: An operation that is not there, in a document that is fetched
    Given a workflow that does [{get: {call: openapi, with: {document: {endpoint: 'https://petstore.swagger.io/v2/swagger.json'}, operationId: getPet}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'configuration', status 400, at '/do/0/get'

  Scenario: An operation whose server the app may not call
    Given a workflow that does [{get: {call: openapi, with: {document: {endpoint: 'configmap:apis/a.json'}, operationId: listPets}}}]
    And the app allows calls to 'httpbin.org:443' only
    And the ConfigMap entry 'apis/a.json' is:
    """json
    {"openapi": "3.1.0", "info": {"title": "a", "version": "1"}, "servers": [{"url": "https://other.example.com"}], "paths": {"/pets": {"get": {"operationId": "listPets", "responses": {}}}}}
    """
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/get/with/operationId' because spec.egress.allow

  Scenario: The status of a response counts as in HTTP calls
    Given a workflow that does [{get: {call: openapi, with: {document: {endpoint: 'https://petstore.swagger.io/v2/swagger.json'}, operationId: getPetById, parameters: {petId: 999}}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'communication', status 404, at '/do/0/get'
