Feature: Expressions
  What expressions see, and where.

  Scenario: $workflow describes the workflow and the run
    Given a workflow that has:
    """yaml
    do:
    - look:
        set:
          id: ${ $workflow.id }
          name: ${ $workflow.definition.document.name }
          tasks: ${ $workflow.definition.do | length }
          input: ${ $workflow.input }
          startedAt: ${ $workflow.startedAt }
    """
    And given the workflow input is:
    """yaml
    {a: 1}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    id: run-1
    name: test
    tasks: 1
    input: {a: 1}
    startedAt: {iso8601: '2030-01-02T03:04:05.000Z', epoch: {seconds: 1893553445, milliseconds: 1893553445000}}
    """

  Scenario: $task describes the task
    Given a workflow that has:
    """yaml
    do:
    - group:
        do:
        - look:
            metadata: {owner: me}
            set: {name: '${ $task.name }', reference: '${ $task.reference }', owner: '${ $task.definition.metadata.owner }', at: '${ $task.startedAt.epoch.seconds }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {name: look, reference: /do/0/group/do/0/look, owner: me, at: 1893553445}
    """

  Scenario: $task of a task around others is that task again afterwards
    Given a workflow that has:
    """yaml
    do:
    - group:
        do:
        - one: {set: {a: 1}}
        output: {as: '{name: $task.name, output: $task.output}'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {name: group, output: {a: 1}}
    """

  Scenario: $runtime describes the runtime
    Given a workflow that does [{look: {set: '${ $runtime | {name, version: (.version | type), metadata: (.metadata | type)} }'}}]
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {name: nexus, version: string, metadata: object}
    """

  Scenario: $authorization describes how the call proved who calls
    Given a workflow that has:
    """yaml
    do:
    - ask:
        call: http
        with:
          method: get
          endpoint: {uri: 'https://httpbin.org/bearer', authentication: {bearer: {token: '${ "abc" }'}}}
        output: {as: '{scheme: $authorization.scheme, length: ($authorization.parameter | length)}'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {scheme: Bearer, length: 3}
    """

  Scenario Outline: Expression fields take both forms
    Given a workflow that has:
    """yaml
    do:
    - one: {<field>, set: {a: '${ .n }'}}
    """
    And given the workflow input is:
    """yaml
    {n: 1, list: [1]}
    """
    When the workflow is executed
    Then the workflow should complete with the output <output>

    Examples:
      | field                            | output  |
      | if: .n == 1                      | {a: 1}  |
      | if: '${ .n == 1 }'               | {a: 1}  |
      | input: {from: '{n: 2}'}          | {a: 2}  |
      | input: {from: '${ {n: 2} }'}     | {a: 2}  |
      | input: {from: '  ${{n: 2}}  '}   | {a: 2}  |
      | output: {as: .a + 1}             | 2       |
      | output: {as: '${ .a + 1 }'}      | 2       |

  Scenario: Values are texts elsewhere, unless they stand in ${ }
    Given a workflow that does [{one: {set: {plain: .n, computed: '${.n}', money: $5, braces: '{n}'}}}]
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {plain: .n, computed: 1, money: $5, braces: '{n}'}
    """

  Scenario Outline: A variable that is not there yet is refused where it is used
    Given a workflow that does <tasks>
    When the workflow is compiled
    Then the workflow should be refused at '<pointer>' because <variable>

    Examples:
      | tasks                                                              | pointer               | variable        |
      | [{a: {if: $input.x, set: {a: 1}}}]                                 | /do/0/a/if            | $input          |
      | [{a: {input: {from: $input}, set: {a: 1}}}]                        | /do/0/a/input/from    | $input          |
      | [{a: {set: '${ $output }'}}]                                       | /do/0/a/set           | $output         |
      | [{a: {set: {a: 1}, output: {as: $output}}}]                        | /do/0/a/output/as     | $output         |
      | [{a: {set: '${ $item }'}}]                                         | /do/0/a/set           | $item           |
      | [{a: {set: '${ $error }'}}]                                        | /do/0/a/set           | $error          |

  Scenario Outline: What jq has besides the language is refused
    Given a workflow that does [{a: {set: '${ <expression> }'}}]
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/a/set' because <why>

    Examples:
      | expression          | why          |
      | env.HOME            | env          |
      | $ENV.HOME           | $ENV         |
      | input               | input        |
      | debug               | debug        |
      | input_filename      | input_filename |
      | halt                | halt         |
      | .a \|               | jq           |
      | nope(1)             | nope         |

  Scenario: Functions, reductions and regular expressions of jq
    Given a workflow that has:
    """yaml
    do:
    - work:
        set:
          total: ${ [.items[] | .price * .count] | add }
          names: ${ .items | map(select(.count > 0).name) | join(",") }
          upper: ${ .items[0].name | ascii_upcase | gsub("P"; "q") }
          grouped: ${ reduce .items[] as $i ({}; .[$i.name] += $i.count) }
          recursive: '${ def f(n): if n <= 1 then 1 else n * f(n - 1) end; f(5) }'
          dates: ${ "2030-01-02T03:04:05Z" | fromdate }
          encoded: ${ "a b/ü" | @uri }
    """
    And given the workflow input is:
    """yaml
    items: [{name: apple, price: 1.5, count: 2}, {name: pear, price: 2, count: 1}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    total: 5
    names: apple,pear
    upper: AqqLE
    grouped: {apple: 2, pear: 1}
    recursive: 120
    dates: 1893553445
    encoded: a%20b%2F%C3%BC
    """
