Feature: Call HTTP
  Requests, as a stand-in for httpbin.org receives them.

  Scenario: Method, headers, query and body, with expressions
    Given a workflow that has:
    """yaml
    do:
    - ask:
        call: http
        with:
          method: post
          endpoint: https://httpbin.org/anything/orders?fixed=1
          headers: {X-Name: '${ .name }', X-Count: '${ .count }', X-None: '${ .missing }'}
          query: {q: '${ .name }', page: '${ .count }', none: '${ .missing }', tag: '${ [.name, "b"] }'}
          body: {name: '${ .name }', list: [1, '${ .count }'], text: .name}
    """
    And given the workflow input is:
    """yaml
    {name: Ada L & Co, count: 2}
    """
    When the workflow is executed
    Then the workflow should complete
    And request 1 to 'httpbin.org' should be 'POST /anything/orders?fixed=1&page=2&q=Ada+L+%26+Co&tag=Ada+L+%26+Co&tag=b'
    And request 1 to 'httpbin.org' should have the header 'X-Name' with value 'Ada L & Co'
    And request 1 to 'httpbin.org' should have the header 'X-Count' with value '2'
    And request 1 to 'httpbin.org' should not have the header 'X-None'
    And request 1 to 'httpbin.org' should have the header 'Content-Type' with value 'application/json'
    And request 1 to 'httpbin.org' should not have the header 'Authorization'
    And the workflow output should have a 'json' property with value:
    """yaml
    {name: Ada L & Co, list: [1, 2], text: .name}
    """

  Scenario: Headers, query, body and method as expressions
    Given a workflow that has:
    """yaml
    do:
    - ask:
        call: http
        with:
          method: ${ .method }
          endpoint: ${ "https://httpbin.org/anything/\(.id | @uri)" }
          headers: ${ .headers }
          query: ${ .query }
          body: ${ .body }
    """
    And given the workflow input is:
    """yaml
    {method: patch, id: a/b, headers: {X-A: '1'}, query: {b: true}, body: [1, null, {c: 2.5}]}
    """
    When the workflow is executed
    Then the workflow should complete
    And request 1 to 'httpbin.org' should be 'PATCH /anything/a%2Fb?b=true'
    And request 1 to 'httpbin.org' should have the header 'X-A' with value '1'
    And request 1 to 'httpbin.org' should have the body '[1,null,{"c":2.5}]'

  Scenario Outline: The body goes as its content type asks for
    Given a workflow that has:
    """yaml
    do:
    - ask:
        call: http
        with:
          method: post
          endpoint: https://httpbin.org/anything
          headers: {Content-Type: '<type>'}
          body: <body>
    """
    When the workflow is executed
    Then the workflow should complete
    And request 1 to 'httpbin.org' should have the body '<sent>'
    And request 1 to 'httpbin.org' should have the header 'Content-Type' with value '<type>'

    Examples:
      | type                                | body                      | sent                 |
      | application/json                    | {a: 1}                    | {"a":1}              |
      | application/json                    | text                      | "text"               |
      | application/merge-patch+json        | {a: null}                 | {"a":null}           |
      | text/plain                          | a plain text              | a plain text         |
      | application/x-www-form-urlencoded   | {a: 1, b: x y, c: [1, 2]} | a=1&b=x+y&c=1&c=2    |
      | application/x-www-form-urlencoded   | a=already                 | a=already            |
      | application/json                    | 9007199254740993          | 9007199254740993     |

  Scenario: A request without a body has no content type
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}}}]
    When the workflow is executed
    Then the workflow should complete
    And request 1 to 'httpbin.org' should not have the header 'Content-Type'
    And request 1 to 'httpbin.org' should have the body ''

  Scenario: A null body is a body
    Given a workflow that does [{ask: {call: http, with: {method: put, endpoint: 'https://httpbin.org/anything', body: '${ null }'}}}]
    When the workflow is executed
    Then the workflow should complete
    And request 1 to 'httpbin.org' should have the body 'null'

  Scenario Outline: What comes back, by its content type
    Given a workflow that has:
    """yaml
    do:
    - ask:
        call: http
        with:
          method: get
          endpoint: https://httpbin.org/response
          query: {type: '<type>', body: '<body>'}
    """
    When the workflow is executed
    Then the workflow should complete with the output <output>

    Examples:
      | type                              | body          | output            |
      | application/json                  | {"a": [1.50]} | {a: [1.5]}        |
      | application/json; charset=utf-8   | 12            | 12                |
      | application/vnd.api+json          | {"a": 1}      | {a: 1}            |
      | text/plain                        | {"a": 1}      | '{"a": 1}'        |
      | application/xml                   | <a/>          | <a/>              |
      | application/octet-stream          | {"a": 1}      | eyJhIjogMX0=      |
      | application/json                  |               | null              |

  Scenario: JSON that is none is an error of the service
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/response?type=application/json&body=%7B'}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'communication', status 500, at '/do/0/ask'

  Scenario: The output raw is the body in base64, whatever its type
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/response?type=application/json&body=%7B%7D', output: raw}}}]
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    e30=
    """

  Scenario: The output response is all of it
    Given a workflow that has:
    """yaml
    do:
    - ask:
        call: http
        with: {method: get, endpoint: 'https://httpbin.org/cookies', headers: {X-Mine: '1'}, output: response}
        output: {as: '{statusCode, content, list: .headers["X-List"], uri: .request.uri, method: (.request.method | ascii_downcase), mine: .request.headers["X-Mine"]}'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {statusCode: 200, content: {}, list: 'one, two', uri: 'https://httpbin.org/cookies', method: get, mine: '1'}
    """

  Scenario Outline: A status outside of 200 to 299 is an error with that status
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/status/<status>'}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'communication', status <status>, at '/do/0/ask'
    And the caller should get the code '<code>' and the status <told>

    Examples:
      | status | code             | told |
      | 302    | workflow_failed  | 502  |
      | 400    | workflow_failed  | 502  |
      | 401    | workflow_failed  | 502  |
      | 404    | workflow_failed  | 502  |
      | 500    | workflow_failed  | 502  |
      | 503    | workflow_failed  | 502  |
      | 504    | timeout          | 504  |

  Scenario Outline: A status from 200 to 299 is none
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/status/<status>', output: response}, output: {as: .statusCode}}}]
    When the workflow is executed
    Then the workflow should complete with the output <status>

    Examples:
      | status |
      | 200    |
      | 204    |
      | 299    |

  Scenario: A redirect is followed when the author says so
    Given a workflow that has:
    """yaml
    do:
    - ask:
        call: http
        with:
          method: get
          endpoint: https://httpbin.org/redirect-to
          query: {url: 'https://httpbin.org/anything/there', status_code: '302'}
          redirect: true
        output: {as: .url}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    https://httpbin.org/anything/there
    """
    And 'httpbin.org' should have received 2 requests

  Scenario: With redirect a 304 is no error
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/status/304', redirect: true, output: response}, output: {as: .statusCode}}}]
    When the workflow is executed
    Then the workflow should complete with the output 304

  Scenario: Credentials do not follow a redirect to another host
    Given a workflow that has:
    """yaml
    do:
    - ask:
        call: http
        with:
          method: get
          endpoint: {uri: 'https://httpbin.org/redirect-to?status_code=302&url=https%3A%2F%2Fother.example.com%2Fanything', authentication: {bearer: {token: abcdef}}}
          redirect: true
    """
    When the workflow is executed
    Then the workflow should complete
    And request 1 to 'httpbin.org' should have the header 'Authorization' with value 'Bearer abcdef'
    And request 1 to 'other.example.com' should not have the header 'Authorization'

  Scenario: A redirect to where the app may not go fails
    Given a workflow that has:
    """yaml
    do:
    - ask:
        call: http
        with: {method: get, endpoint: 'https://httpbin.org/redirect-to?status_code=302&url=https%3A%2F%2Fother.example.com%2Fanything', redirect: true}
    """
    And the app allows calls to 'httpbin.org:443' only
    When the workflow is executed
    Then the workflow should fault with an error of type 'configuration', status 400, at '/do/0/ask'
    And 'other.example.com' should have received 0 requests
    And 'other.example.com' should appear nowhere

  Scenario Outline: Variables of a URI are top-level fields of the input, encoded
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: '<uri>'}, output: {as: '{}'}}}]
    And given the workflow input is:
    """yaml
    {id: 7, name: a b/ü?&, yes: true, nothing: null, half: 1.5, pet: {id: 3}, pet.id: dotted, list: [1]}
    """
    When the workflow is executed
    Then the workflow should complete
    And request 1 to 'httpbin.org' should be 'GET <sent>'

    Examples:
      | uri                                             | sent                                 |
      | https://httpbin.org/anything/{id}/x             | /anything/7/x                        |
      | https://httpbin.org/anything/{name}             | /anything/a%20b%2F%C3%BC%3F%26       |
      | https://httpbin.org/anything/{yes}{half}        | /anything/true1.5                    |
      | https://httpbin.org/anything/x{nothing}y        | /anything/xy                         |
      | https://httpbin.org/anything/x{missing}y        | /anything/xy                         |
      | https://httpbin.org/anything/{pet.id}           | /anything/dotted                     |
      | https://httpbin.org/anything?id={id}&n={name}   | /anything?id=7&n=a%20b%2F%C3%BC%3F%26 |

  Scenario Outline: A variable that is neither text, number, boolean nor null is an error
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything/{<name>}'}}}]
    And given the workflow input is:
    """yaml
    {pet: {id: 3}, list: [1]}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 400, at '/do/0/ask'

    Examples:
      | name |
      | pet  |
      | list |

  Scenario: A host that the app may not call, found out by running
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: '${ "https://\(.host)/anything" }'}}}]
    And the app allows calls to 'httpbin.org:443' only
    And given the workflow input is:
    """yaml
    host: other.example.com
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'configuration', status 400, at '/do/0/ask'
    And 'other.example.com' should have received 0 requests

  Scenario: A host that the app may not call, plain to see
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://other.example.com/anything/{id}'}}}]
    And the app allows calls to 'httpbin.org:443' only
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/ask/with/endpoint' because spec.egress.allow

  Scenario: A service that is not there
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: '${ "https://gone.example.com/" }'}}}]
    And the app allows calls to 'gone.example.com:443' only
    When the workflow is executed
    Then the workflow should fault with an error of type 'communication', status 503, at '/do/0/ask'
    And 'gone.example.com' should appear nowhere

  Scenario Outline: Headers that are not for workflows to set
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything', headers: '${ {"<name>": "<value>"} }'}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'configuration', status 400, at '/do/0/ask'
    And 'httpbin.org' should have received 0 requests

    Examples:
      | name              | value         |
      | Host              | evil          |
      | Transfer-Encoding | chunked       |
      | Connection        | close         |
      | X-A               | a\\nb: c      |
      | bad name          | x             |

  Scenario: What a service says of its inside is not passed on
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/problem/500'}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'communication', status 500, at '/do/0/ask'
    And 'db-7' should appear nowhere

  Scenario: A compressed response is expanded
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/gzip'}, output: {as: .gzipped}}}]
    When the workflow is executed
    Then the workflow should complete with the output true

  Scenario: A response that is too large is an error
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/response?type=application/json&bytes=1100000'}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'communication', status 502, at '/do/0/ask'

  Scenario: A query parameter that is an object is an error
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything', query: '${ {a: {b: 1}} }'}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 400, at '/do/0/ask'
    And 'httpbin.org' should have received 0 requests

  Scenario Outline: Every method
    Given a workflow that does [{ask: {call: http, with: {method: <method>, endpoint: 'https://httpbin.org/anything', output: response}, output: {as: '{status: .statusCode}'}}}]
    When the workflow is executed
    Then the workflow should complete with the output {status: 200}
    And request 1 to 'httpbin.org' should be '<sent> /anything'

    Examples:
      | method  | sent    |
      | get     | GET     |
      | POST    | POST    |
      | put     | PUT     |
      | patch   | PATCH   |
      | Delete  | DELETE  |
      | head    | HEAD    |
      | options | OPTIONS |
