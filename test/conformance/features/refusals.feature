Feature: Refusals
  What is outside of the profile, or wrong, is refused before it runs, with its place.

  Scenario Outline: Tasks that are outside of the profile
    Given a workflow that does [{a: <task>}]
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/a<pointer>' because <why>

    Examples:
      | task                                                                          | pointer                    | why           |
      | {listen: {to: {any: []}}}                                                     | /listen                    | not supported |
      | {run: {container: {image: alpine}}}                                           | /run/container             | not supported |
      | {run: {script: {language: js, code: x}}}                                      | /run/script                | not supported |
      | {run: {shell: {command: ls}}}                                                 | /run/shell                 | not supported |
      | {call: grpc, with: {}}                                                        | /call                      | not supported |
      | {call: asyncapi, with: {}}                                                    | /call                      | not supported |
      | {call: a2a, with: {method: tasks/get}}                                        | /call                      | not supported |
      | {call: 'log:1.0.0@default'}                                                   | /call                      | catalogs      |
      | {call: 'https://example.com/function.yaml'}                                   | /call                      | use.functions |
      | {call: mcp, with: {method: tools/list, transport: {stdio: {command: npx}}}}   | /with/transport/stdio      | not supported |

  Scenario Outline: Parts of a workflow that are outside of the profile
    Given a workflow that has <fields> and does [{a: {set: {a: 1}}}]
    When the workflow is compiled
    Then the workflow should be refused at '<pointer>' because not supported

    Examples:
      | fields                                                                    | pointer          |
      | {schedule: {cron: 0 0 * * *}}                                             | /schedule        |
      | {use: {extensions: [{a: {extend: all}}]}}                                 | /use/extensions  |
      | {use: {catalogs: {a: {endpoint: {uri: 'https://example.com'}}}}}          | /use/catalogs    |
      | {evaluate: {language: javascript}}                                        | /evaluate/language |
      | {evaluate: {mode: loose}}                                                 | /evaluate/mode   |

  Scenario Outline: Schemas that would be fetched
    Given a workflow that has <fields> and does [{a: {set: {a: 1}}}]
    When the workflow is compiled
    Then the workflow should be refused at '<pointer>' because <why>

    Examples:
      | fields                                                                              | pointer                         | why  |
      | {input: {schema: {resource: {endpoint: 'https://example.com/schema.json'}}}}        | /input/schema/resource          | not supported |
      | {input: {schema: {format: avro, document: {}}}}                                     | /input/schema/format            | json |
      | {input: {schema: {document: {$ref: 'https://example.com/schema.json'}}}}            | /input/schema/document/$ref     | $defs |

  Scenario Outline: Documents that are wrong
    Given a workflow with definition:
    """yaml
    document: {dsl: '<dsl>', namespace: <namespace>, name: test, version: '<version>'}
    do: [{a: {set: {a: 1}}}]
    """
    When the workflow is compiled
    Then the workflow should be refused at '/document/<member>' because <why>

    Examples:
      | dsl   | namespace | version | member    | why              |
      | 0.8   | default   | 1.0.0   | dsl       | 1.0.3            |
      | 1.1.0 | default   | 1.0.0   | dsl       | 1.0.3            |
      | 1.0.3 | a_b       | 1.0.0   | namespace | not a name       |
      | 1.0.3 | default   | 1.0     | version   | semantic version |

  Scenario Outline: Tasks that are wrong
    Given a workflow that does [{a: <task>}]
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/a<pointer>' because <why>

    Examples:
      | task                                                                        | pointer                    | why               |
      | {}                                                                          |                            | set               |
      | {set: {a: 1}, wait: PT1S}                                                   |                            | set               |
      | {set: {}}                                                                   | /set                       | empty             |
      | {set: .a}                                                                   | /set                       | ${                |
      | {set: {a: 'x ${ .a }'}}                                                     | /set/a                     | inside a text     |
      | {set: {a: '${ .a \| }'}}                                                    | /set/a                     | jq                |
      | {set: {a: 1}, than: end}                                                    | /than                      | then              |
      | {set: {a: 1}, then: b}                                                      | /then                      | no task "b"       |
      | {set: {a: 1}, timeout: short}                                               | /timeout                   | use.timeouts      |
      | {set: {a: 1}, timeout: {after: 5 seconds}}                                  | /timeout/after             | PT                |
      | {set: {a: 1}, timeout: {after: {seconds: -1}}}                              | /timeout/after/seconds     | 0 or more         |
      | {wait: P1M}                                                                 | /wait                      | months            |
      | {wait: {second: 1}}                                                         | /wait/second               | seconds           |
      | {for: {each: x}, do: [{b: {set: {a: 1}}}]}                                  | /for/in                    | required          |
      | {for: {each: '$x', in: .x}, do: [{b: {set: {a: 1}}}]}                       | /for/each                  | variable          |
      | {for: {each: context, in: .x}, do: [{b: {set: {a: 1}}}]}                    | /for/each                  | variable          |
      | {switch: []}                                                                | /switch                    | case              |
      | {switch: [{b: {when: .a}}]}                                                 | /switch/0/b/then           | required          |
      | {switch: [{b: {then: end}}, {c: {then: end}}]}                              | /switch/1/c                | second            |
      | {try: [{b: {set: {a: 1}}}]}                                                 | /catch                     | required          |
      | {try: [{b: {set: {a: 1}}}], catch: {errors: {with: {status: '400'}}}}       | /catch/errors/with/status  | number            |
      | {try: [{b: {set: {a: 1}}}], catch: {retry: {limit: {attempt: {count: 99}}}}} | /catch/retry/limit/attempt/count | 10          |
      | {try: [{b: {set: {a: 1}}}], catch: {retry: {backoff: {cubic: {}}}}}         | /catch/retry/backoff/cubic | linear            |
      | {try: [{b: {set: {a: 1}}}], catch: {retry: often}}                          | /catch/retry               | use.retries       |
      | {raise: {error: gone}}                                                      | /raise/error               | use.errors        |
      | {raise: {error: {type: 'https://example.com/x'}}}                           | /raise/error/status        | required          |
      | {raise: {error: {status: 400}}}                                             | /raise/error/type          | required          |
      | {raise: {error: {type: 'https://example.com/x', status: 999}}}              | /raise/error/status        | 599               |
      | {emit: {event: {with: {data: 1}}}}                                          | /emit/event/with/type      | required          |
      | {call: http}                                                                | /with                      | required          |
      | {call: http, with: {endpoint: 'https://httpbin.org'}}                       | /with/method               | required          |
      | {call: http, with: {method: get}}                                           | /with/endpoint             | required          |
      | {call: http, with: {method: get, endpoint: 'ftp://httpbin.org'}}            | /with/endpoint             | https             |
      | {call: http, with: {method: get, endpoint: 'https://u:p@httpbin.org'}}      | /with/endpoint             | user              |
      | {call: http, with: {method: get, endpoint: 'https://httpbin.org', output: xml}} | /with/output           | content           |
      | {call: http, with: {method: get, endpoint: {uri: 'https://httpbin.org', authentication: {use: mine}}}} | /with/endpoint/authentication/use | use.authentications |
      | {call: http, with: {method: get, endpoint: {uri: 'https://httpbin.org', authentication: {basic: {username: a}}}}} | /with/endpoint/authentication/basic/password | required |
      | {call: http, with: {method: get, endpoint: {uri: 'https://httpbin.org', authentication: {oauth2: {authority: 'https://id.example.com', grant: password}}}}} | /with/endpoint/authentication/oauth2/grant | client_credentials |
      | {call: http, with: {method: get, endpoint: {uri: 'https://httpbin.org', authentication: {bearer: {use: nope}}}}} | /with/endpoint/authentication/bearer/use | use.secrets |
      | {call: openapi, with: {document: {endpoint: 'https://httpbin.org/openapi-3.0.yaml'}}} | /with/operationId | required           |
      | {call: openapi, with: {document: {endpoint: '${ .url }'}, operationId: x}}  | /with/document/endpoint    | beforehand        |
      | {call: mcp, with: {method: tools/run, transport: {http: {endpoint: 'https://mcp.example.com'}}}} | /with/method | tools/call      |
      | {run: {workflow: {name: x, version: '1'}}}                                  | /run/workflow/namespace    | required          |
      | {run: {workflow: {namespace: default, name: x, version: '1'}}, then: 5}     | /then                      | string            |

  Scenario: Two tasks of one name in a list
    Given a workflow that does [{a: {set: {a: 1}}}, {a: {set: {b: 2}}}]
    When the workflow is compiled
    Then the workflow should be refused at '/do/1/a' because twice

  Scenario: Two tasks in one entry of a list
    Given a workflow that does [{a: {set: {a: 1}}, b: {set: {b: 2}}}]
    When the workflow is compiled
    Then the workflow should be refused at '/do/0' because one

  Scenario: A flow directive cannot leave its list for a task of another one
    Given a workflow that has:
    """yaml
    do:
    - outer:
        do:
        - inner: {set: {a: 1}, then: after}
    - after: {set: {b: 2}}
    """
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/outer/do/0/inner/then' because no task "after"

  Scenario: on, which an older YAML reads as true, is hinted at
    Given a workflow that has {'true': {}} and does [{a: {set: {'true': 1}}}]
    When the workflow is compiled
    Then the workflow should be refused at '/true' because YAML 1.1
    And there should be 1 problem

  Scenario: Every problem is told, not only the first
    Given a workflow that has:
    """yaml
    schedule: {cron: 0 0 * * *}
    do:
    - a: {listen: {to: {any: []}}}
    - b: {set: '${ .x | }'}
    - c: {set: {a: 1}, then: nowhere}
    """
    When the workflow is compiled
    Then there should be 4 problems
    And the workflow should be refused at '/schedule' because not supported
    And the workflow should be refused at '/do/0/a/listen' because not supported
    And the workflow should be refused at '/do/1/b/set' because jq
    And the workflow should be refused at '/do/2/c/then' because no task

  Scenario Outline: What says no more than the default is accepted
    Given a workflow that has <fields> and does [{a: {set: {a: 1}, metadata: {owner: me}}}]
    When the workflow is compiled
    Then the workflow should be accepted

    Examples:
      | fields                                   |
      | {evaluate: {language: jq}}               |
      | {evaluate: {language: jq, mode: strict}} |
      | {use: {}}                                |

  Scenario Outline: Versions of the language that are accepted
    Given a workflow with definition:
    """yaml
    document: {dsl: '<dsl>', namespace: default, name: test, version: 1.0.0-rc.1+5, title: A, summary: B, tags: {a: b}, metadata: {c: {d: 1}}}
    do: [{a: {set: {a: 1}}}]
    """
    When the workflow is compiled
    Then the workflow should be accepted

    Examples:
      | dsl   |
      | 1.0.0 |
      | 1.0.1 |
      | 1.0.3 |

  Scenario: The return of a run of a workflow
    Given a workflow that does [{a: {run: {workflow: {namespace: default, name: test, version: latest}, return: none}}}]
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/a/run/return' because return

  Scenario: A list without tasks
    Given a workflow that does [{a: {do: []}}]
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/a/do' because task

  Scenario: An endpoint that is relative
    Given a workflow that does [{a: {call: http, with: {method: get, endpoint: /orders}}}]
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/a/with/endpoint' because https

  Scenario Outline: A field is named with what was meant
    Given a workflow that does [{a: <task>}]
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/a<pointer>' because did you mean "<meant>"

    Examples:
      | task                                                           | pointer                       | meant     |
      | {set: {a: 1}, outptu: {as: .}}                                 | /outptu                       | output    |
      | {set: {a: 1}, output: {As: .}}                                 | /output/As                    | as        |
      | {for: {eech: x, in: .x}, do: [{b: {set: {a: 1}}}]}             | /for/eech                     | each      |
      | {try: [{b: {set: {a: 1}}}], catch: {retry: {limits: {}}}}      | /catch/retry/limits           | limit     |
      | {raise: {error: {type: a, status: 400, titel: x}}}             | /raise/error/titel            | title     |
