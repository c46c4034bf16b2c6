Feature: Run
  Workflows of the same app, run by another one.

  Scenario: The output of the other workflow is that of the task
    Given a workflow that has:
    """yaml
    do:
    - ask:
        run: {workflow: {namespace: default, name: twice, version: '1.0.0', input: {n: '${ .count }'}}}
        output: {as: '{result: ., input: $input}'}
    """
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: twice, version: '1.0.0'}
    input: {schema: {document: {type: object, required: [n]}}, from: .n}
    do:
    - twice: {set: '${ . * 2 }'}
    output: {as: '{twice: .}'}
    """
    And given the workflow input is:
    """yaml
    count: 21
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {result: {twice: 42}, input: {count: 21}}
    """

  Scenario: latest is whichever version there is, and no input is an empty one
    Given a workflow that has:
    """yaml
    do:
    - ask: {run: {workflow: {namespace: default, name: look, version: latest}, await: true}}
    """
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: look, version: '3.1.4'}
    do:
    - look: {set: {input: '${ . }', name: '${ $workflow.definition.document.name }', context: '${ $context }'}}
    """
    And given the workflow input is:
    """yaml
    count: 21
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {input: {}, name: look, context: {}}
    """

  Scenario: end in the other workflow ends only that
    Given a workflow that has:
    """yaml
    do:
    - ask: {run: {workflow: {namespace: default, name: short, version: '1.0.0'}}}
    - after: {set: {after: '${ .at }'}}
    """
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: short, version: '1.0.0'}
    do:
    - one: {set: {at: one}, then: end}
    - two: {set: {at: two}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    after: one
    """

  Scenario: An error that the other workflow raises is the task's, in its author's words
    Given a workflow that has:
    """yaml
    do:
    - ask: {run: {workflow: {namespace: default, name: broken, version: '1.0.0'}}}
    """
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: broken, version: '1.0.0'}
    do:
    - group:
        do:
        - bad: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}
    """
    When the workflow is executed
    Then the workflow should fault with an error that has:
    """yaml
    {type: 'https://example.com/x', status: 409, title: Taken, instance: /do/0/ask}
    """
    And bad should fault
    And ask should fault

  Scenario: What goes wrong in the other workflow is the task's, with where it comes from
    Given a workflow that has:
    """yaml
    do:
    - ask: {run: {workflow: {namespace: default, name: broken, version: '1.0.0'}}}
    """
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: broken, version: '1.0.0'}
    do:
    - group:
        do:
        - bad: {set: '${ 1 + "a" }'}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 400, at '/do/0/ask'
    And the error detail should mention 'workflow broken failed at /do/0/group/do/0/bad'

  Scenario: An error of the other workflow can be caught
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - ask: {run: {workflow: {namespace: default, name: broken, version: '1.0.0'}}}
        catch:
          errors: {with: {status: 409}}
          do: [{handle: {set: '${ $error.instance }'}}]
    """
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: broken, version: '1.0.0'}
    do:
    - bad: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    /do/0/attempt/try/0/ask
    """

  Scenario: The input is validated against the other workflow's schema
    Given a workflow that has:
    """yaml
    do:
    - ask: {run: {workflow: {namespace: default, name: strict, version: '1.0.0', input: {n: text}}}}
    """
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: strict, version: '1.0.0'}
    input: {schema: {document: {properties: {n: {type: integer}}}}}
    do:
    - never: {set: {ran: true}}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'validation', status 400, at '/do/0/ask'
    And never should not run

  Scenario: A workflow that is not waited for runs by itself, and the input is the output
    Given a workflow that has:
    """yaml
    do:
    - start:
        input: {from: .order}
        run: {workflow: {namespace: default, name: later, version: '1.0.0', input: {id: '${ .id }'}}, await: false}
    """
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: later, version: '1.0.0'}
    do:
    - wait: {wait: PT1H}
    - done: {set: {done: '${ .id }'}}
    """
    And given the workflow input is:
    """yaml
    order: {id: 7}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    id: 7
    """
    And a run of 'later' should have been started with:
    """yaml
    id: 7
    """
    And the run of 'later' should have completed with output:
    """yaml
    done: 7
    """
    And the run should take 1h

  Scenario: The other workflow has its own timeout, and that of the task that runs it
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - one: {run: {workflow: {namespace: default, name: slow, version: '1.0.0'}}}
        catch: {do: [{handle: {set: '${ $error.status }'}}]}
    - two: {timeout: {after: PT2S}, run: {workflow: {namespace: default, name: slow, version: '1.0.0'}}}
    """
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: slow, version: '1.0.0'}
    timeout: {after: PT5S}
    do:
    - wait: {wait: PT1H}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'timeout', status 408, at '/do/1/two'
    And the run should take 7s

  Scenario: Loop variables and context do not reach the other workflow
    Given a workflow that has:
    """yaml
    do:
    - set: {set: {secret: 1}, export: {as: .}}
    - loop:
        for: {in: '[5]'}
        do:
        - ask: {run: {workflow: {namespace: default, name: look, version: '1.0.0'}}}
    """
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: look, version: '1.0.0'}
    do:
    - loop:
        for: {in: '[6]'}
        do:
        - look: {set: {item: '${ $item }', context: '${ $context }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {item: 6, context: {}}
    """

  Scenario Outline: A workflow that is not there as it is named
    Given a workflow that does [{ask: {run: {workflow: {namespace: <namespace>, name: <name>, version: <version>}}}}]
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: other, version: '1.0.0'}
    do:
    - one: {set: {a: 1}}
    """
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/ask/run/workflow/<at>' because <why>

    Examples:
      | namespace | name    | version | at        | why                       |
      | default   | another | 1.0.0   | name      | there is no workflow      |
      | elsewhere | other   | 1.0.0   | namespace | has the namespace         |
      | default   | other   | 1.0.1   | version   | has the version "1.0.0"   |

  Scenario: A workflow that comes to run itself is refused
    Given a workflow that does [{ask: {run: {workflow: {namespace: default, name: other, version: latest}}}}]
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: other, version: '1.0.0'}
    do:
    - back: {run: {workflow: {namespace: default, name: test, version: latest}}}
    """
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/ask/run/workflow' because circle

  Scenario: The other workflow's descriptors are its own
    Given a workflow that has:
    """yaml
    do:
    - pause: {wait: PT10S}
    - ask: {run: {workflow: {namespace: default, name: look, version: latest, input: {a: 1}}}}
    """
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: look, version: '1.0.0'}
    input: {from: .a}
    do:
    - look: {set: {input: '${ $workflow.input }', name: '${ $workflow.definition.document.name }', startedAt: '${ $workflow.startedAt.epoch.seconds }', reference: '${ $task.reference }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {input: {a: 1}, name: look, startedAt: 1893553455, reference: /do/0/look}
    """
