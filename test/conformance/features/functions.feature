Feature: Functions
  Tasks of use.functions, called by name.

  Scenario: A function sees its arguments, and nothing else
    Given a workflow that has:
    """yaml
    use:
      functions:
        greet:
          input: {schema: {document: {type: object, required: [who]}}}
          set: {greeting: '${ "Hello \(.who)" }', other: '${ .other }', task: '${ $task.reference }'}
    do:
    - hello:
        call: greet
        with: {who: '${ .name }'}
        output: {as: '. + {task: ($task.reference)}'}
    """
    And given the workflow input is:
    """yaml
    {name: Ada, other: hidden}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {greeting: Hello Ada, other: null, task: /do/0/hello}
    """

  Scenario: A function may be any task, and is called more than once
    Given a workflow that has:
    """yaml
    use:
      functions:
        ask:
          call: http
          with: {method: get, endpoint: 'https://httpbin.org/anything/{id}'}
          output: {as: .url}
    do:
    - first: {call: ask, with: {id: 1}, export: {as: '[.]'}}
    - second: {call: ask, with: {id: 2}, output: {as: '$context + [.]'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ['https://httpbin.org/anything/1', 'https://httpbin.org/anything/2']
    """

  Scenario: A function may call another one
    Given a workflow that has:
    """yaml
    use:
      functions:
        outer: {do: [{one: {call: inner, with: {n: '${ .n + 1 }'}}}]}
        inner: {set: '${ .n * 10 }'}
    do:
    - go: {call: outer, with: {n: 1}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    20
    """

  Scenario: The arguments are validated
    Given a workflow that has:
    """yaml
    use:
      functions:
        greet: {input: {schema: {document: {type: object, required: [who]}}}, set: '${ .who }'}
    do:
    - hello: {call: greet}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'validation', status 400, at '/use/functions/greet'

  Scenario: A function that calls itself is refused
    Given a workflow that has:
    """yaml
    use: {functions: {loop: {do: [{again: {call: loop}}]}}}
    do:
    - go: {call: loop}
    """
    When the workflow is compiled
    Then the workflow should be refused at '/use/functions/loop/do/0/again/call' because calls itself

  Scenario: A function that is not there
    Given a workflow that has:
    """yaml
    use: {functions: {greet: {set: {a: 1}}}}
    do:
    - go: {call: great}
    """
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/go/call' because "greet"

  Scenario: A function that is wrong is refused, used or not
    Given a workflow that has:
    """yaml
    use: {functions: {unused: {set: '${ .a | }'}}}
    do:
    - go: {set: {a: 1}}
    """
    When the workflow is compiled
    Then the workflow should be refused at '/use/functions/unused/set' because jq
