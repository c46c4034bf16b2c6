Feature: Try
  Errors, caught and handled.

  Scenario: Without an error the catch does nothing
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - one: {set: {ok: '${ .n }'}}
        catch:
          do:
          - never: {set: {ok: false}}
        output: {as: .ok}
    """
    And given the workflow input is:
    """yaml
    n: 7
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    7
    """
    And never should not run

  Scenario: Without a filter every error is caught, and its handler sees the task's input
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        input: {from: .order}
        try:
        - change: {set: {changed: true}}
        - bad: {set: '${ error("no") }'}
        catch:
          do:
          - handle: {set: {input: '${ . }', type: '${ $error.type }', instance: '${ $error.instance }'}}
    """
    And given the workflow input is:
    """yaml
    order: {id: 7}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    input: {id: 7}
    type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
    instance: /do/0/attempt/try/1/bad
    """
    And bad should fault
    And attempt should complete

  Scenario: An error that is caught and not handled is gone
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: {raise: {error: {type: 'https://example.com/x', status: 400}}}
        catch: {}
    - after: {set: {input: '${ . }'}}
    """
    And given the workflow input is:
    """yaml
    kept: true
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    input: {kept: true}
    """

  Scenario Outline: The filter compares every member that it has
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad:
            raise:
              error: {type: 'https://example.com/errors/stock', status: 409, title: Out of stock, detail: '${ "no \(.what)" }'}
        catch:
          errors: {with: <filter>}
          do:
          - handle: {set: {caught: true}}
    - after: {set: '${ .caught // false }'}
    """
    And given the workflow input is:
    """yaml
    what: apples
    """
    When the workflow is executed
    Then the workflow should complete with the output true

    Examples:
      | filter                                                                |
      | {type: 'https://example.com/errors/stock'}                            |
      | {status: 409}                                                         |
      | {title: Out of stock}                                                 |
      | {detail: no apples}                                                   |
      | {instance: /do/0/attempt/try/0/bad}                                   |
      | {type: 'https://example.com/errors/stock', status: 409}               |

  Scenario Outline: An error that the filter does not match goes on
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad:
            raise:
              error: {type: 'https://example.com/errors/stock', status: 409, title: Out of stock, detail: no apples}
        catch:
          errors: {with: <filter>}
          do:
          - never: {set: {caught: true}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.com/errors/stock', status: 409, title: Out of stock, detail: no apples, instance: /do/0/attempt/try/0/bad}
    """
    And never should not run
    And attempt should fault

    Examples:
      | filter                                                    |
      | {type: 'https://example.com/errors/stoc'}                 |
      | {status: 400}                                             |
      | {title: out of stock}                                     |
      | {detail: no pears}                                        |
      | {instance: /do/0/attempt}                                 |
      | {type: 'https://example.com/errors/stock', status: 410}   |

  Scenario Outline: The standard types go by their older names too
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: {set: '${ error("no") }'}
        catch:
          errors: {with: {type: '<type>', status: 400}}
          do:
          - handle: {set: '${ $error.type }'}
    """
    When the workflow is executed
    Then the workflow should complete with the output https://open-workflow-specification.org/spec/1.0.0/errors/expression

    Examples:
      | type                                                                  |
      | https://open-workflow-specification.org/spec/1.0.0/errors/expression  |
      | https://open-workflow-specification.org/dsl/errors/types/expression   |
      | https://serverlessworkflow.io/spec/1.0.0/errors/expression            |
      | https://serverlessworkflow.io/dsl/errors/types/expression             |

  Scenario: A raised standard type is caught under each of its names
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: {raise: {error: {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/timeout', status: 408}}}
        catch:
          errors: {with: {type: 'https://open-workflow-specification.org/spec/1.0.0/errors/timeout'}}
          do:
          - handle: {set: {caught: true}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    caught: true
    """

  Scenario: as names the variable, for when and exceptWhen too
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: {raise: {error: {type: 'https://example.com/x', status: 409, detail: busy}}}
        catch:
          as: problem
          when: $problem.status == 409 and .retryable
          exceptWhen: $problem.detail == "broken"
          do:
          - handle: {set: '${ $problem }'}
    """
    And given the workflow input is:
    """yaml
    retryable: true
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {type: 'https://example.com/x', status: 409, detail: busy, instance: /do/0/attempt/try/0/bad}
    """

  Scenario Outline: when and exceptWhen let errors go on
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: {raise: {error: {type: 'https://example.com/x', status: 409}}}
        catch: {<conditions>, do: [{never: {set: {caught: true}}}]}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.com/x', status: 409, instance: /do/0/attempt/try/0/bad}
    """

    Examples:
      | conditions                                               |
      | when: $error.status == 400                               |
      | exceptWhen: $error.status == 409                         |
      | when: 'true', exceptWhen: 'true'                         |

  Scenario: An error in the handler goes on, with its own place
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: {raise: {error: {type: 'https://example.com/x', status: 409}}}
        catch:
          do:
          - worse: {raise: {error: {type: 'https://example.com/y', status: 500, detail: '${ "after \($error.type)" }'}}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.com/y', status: 500, detail: 'after https://example.com/x', instance: /do/0/attempt/catch/do/0/worse}
    """

  Scenario: A try in a try catches first
    Given a workflow that has:
    """yaml
    do:
    - outer:
        try:
        - inner:
            try:
            - bad: {raise: {error: {type: 'https://example.com/x', status: 409}}}
            catch:
              errors: {with: {status: 409}}
              do:
              - again: {raise: {error: {type: 'https://example.com/y', status: 410}}}
        catch:
          do:
          - handle: {set: {caught: '${ $error.status }', at: '${ $error.instance }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {caught: 410, at: /do/0/outer/try/0/inner/catch/do/0/again}
    """

  Scenario: catch.then goes before the try's own then, and only after an error
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - maybe: {if: .fail, raise: {error: {type: 'https://example.com/x', status: 409}}}
        catch:
          do:
          - handle: {set: {caught: true}}
          then: failed
        then: worked
    - failed: {set: {how: failed, caught: '${ .caught }'}, then: end}
    - worked: {set: {how: worked}}
    """
    And given the workflow input is:
    """yaml
    fail: true
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {how: failed, caught: true}
    """

  Scenario: Without an error the try's own then is followed
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - maybe: {if: .fail, raise: {error: {type: 'https://example.com/x', status: 409}}}
        catch: {then: failed}
        then: worked
    - failed: {set: {how: failed}, then: end}
    - worked: {set: {how: worked}}
    """
    And given the workflow input is:
    """yaml
    fail: false
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    how: worked
    """

  Scenario: What failed has exported stays exported
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - good: {set: {step: 1}, export: {as: .}}
        - bad: {set: '${ error("no") }'}
        catch: {do: [{handle: {set: '${ $context }'}}]}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    step: 1
    """

  Scenario: The variable of a catch is gone after it
    Given a workflow that has:
    """yaml
    do:
    - attempt: {try: [{one: {set: {a: 1}}}], catch: {as: problem}}
    - after: {set: '${ $problem }'}
    """
    When the workflow is compiled
    Then the workflow should be refused at '/do/1/after/set' because $problem

  Scenario Outline: Errors of every kind can be caught
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: <task>
        catch:
          errors: {with: {type: 'https://open-workflow-specification.org/spec/1.0.0/errors/<type>', status: <status>}}
          do:
          - handle: {set: {caught: true}}
    """
    When the workflow is executed
    Then the workflow should complete with the output {caught: true}

    Examples:
      | task                                                                                            | type           | status |
      | {set: '${ error("no") }'}                                                                       | expression     | 400    |
      | {input: {schema: {document: {type: string}}}, set: {a: 1}}                                      | validation     | 400    |
      | {timeout: {after: PT1S}, wait: PT2S}                                                            | timeout        | 408    |
      | {call: http, with: {method: get, endpoint: 'https://httpbin.org/status/503'}}                   | communication  | 503    |
      | {call: http, with: {method: get, endpoint: 'https://httpbin.org/status/401'}}                   | communication  | 401    |
      | {call: http, with: {method: get, endpoint: '${ "no URL" }'}}                                    | configuration  | 400    |

  Scenario: What the handler gives is shaped, and exported, by the try
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try: [{bad: {set: '${ error }'}}]
        catch: {do: [{handle: {set: {handled: true}}}]}
        output: {as: '{result: .handled}'}
        export: {as: .}
    - look: {set: {output: '${ . }', context: '${ $context }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {output: {result: true}, context: {result: true}}
    """

  Scenario Outline: The directives of a catch
    Given a workflow that has:
    """yaml
    do:
    - group:
        do:
        - attempt:
            try: [{bad: {set: '${ error }'}}]
            catch: {do: [{handle: {set: {at: handler}}}], then: <then>}
        - next: {set: {at: '${ .at + ", next" }'}}
    - after: {set: {at: '${ .at + ", after" }'}}
    """
    When the workflow is executed
    Then the workflow should complete with the output <output>

    Examples:
      | then     | output                        |
      | continue | {at: 'handler, next, after'}  |
      | exit     | {at: 'handler, after'}        |
      | end      | {at: handler}                 |

  Scenario: end among the tasks of a handler ends the workflow
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try: [{bad: {set: '${ error }'}}]
        catch: {do: [{handle: {set: {at: handler}, then: end}}, {never: {set: {at: never}}}]}
    - after: {set: {at: after}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: handler
    """

  Scenario: exit among the tasks that are tried ends them without an error
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try: [{one: {set: {at: one}, then: exit}}, {bad: {set: '${ error }'}}]
        catch: {do: [{never: {set: {at: never}}}]}
    - after: {set: {at: '${ .at + ", after" }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: one, after
    """
