Feature: Data flow
  The ways of data from the workflow's input to its output, in the order of the specification.

  Scenario: The workflow's input.from shapes the input of the first task
    Given a workflow that has:
    """yaml
    input: {from: .order}
    do:
    - look: {set: {dot: '${ . }', input: '${ $input }', raw: '${ $workflow.input }'}}
    """
    And given the workflow input is:
    """yaml
    order: {id: 7}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    dot: {id: 7}
    input: {id: 7}
    raw: {order: {id: 7}}
    """

  Scenario: input.from may be an object with expressions in it
    Given a workflow that has:
    """yaml
    input: {from: {id: '${ .order.id }', by: constant}}
    do:
    - look: {set: '${ . }'}
    """
    And given the workflow input is:
    """yaml
    order: {id: 7}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {id: 7, by: constant}
    """

  Scenario: The workflow's input is validated before it is shaped
    Given a workflow that has:
    """yaml
    input:
      schema: {format: json, document: {type: object, required: [order]}}
      from: .order
    do:
    - look: {set: '${ . }'}
    """
    And given the workflow input is:
    """yaml
    {id: 7}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'validation', status 400, at ''
    And the caller should get the code 'schema_violation'
    And look should not run

  Scenario: A task's input is validated before it is shaped
    Given a workflow that has:
    """yaml
    do:
    - good:
        input:
          schema: {document: {type: object, required: [order]}}
          from: .order
        set: {id: '${ .id }', input: '${ $input }', raw: '${ $task.input }'}
    - bad:
        input:
          schema: {document: {type: object, required: [order]}}
          from: .
        set: {never: true}
    """
    And given the workflow input is:
    """yaml
    order: {id: 7}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'validation', status 400, at '/do/1/bad'
    And good should complete
    And bad should fault

  Scenario: A dot and $input are the shaped input in the task, $task.input is the raw one
    Given a workflow that has:
    """yaml
    do:
    - look:
        input: {from: .order}
        set: {dot: '${ .id }', input: '${ $input.id }', raw: '${ $task.input.order.id + 1 }'}
    """
    And given the workflow input is:
    """yaml
    order: {id: 7}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {dot: 7, input: 7, raw: 8}
    """

  Scenario: output.as sees the raw output, the input and both in $task
    Given a workflow that has:
    """yaml
    do:
    - look:
        input: {from: .order}
        set: {made: true}
        output:
          as:
            dot: ${ . }
            input: ${ $input }
            taskInput: ${ $task.input }
            taskOutput: ${ $task.output }
    """
    And given the workflow input is:
    """yaml
    order: {id: 7}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    dot: {made: true}
    input: {id: 7}
    taskInput: {order: {id: 7}}
    taskOutput: {made: true}
    """

  Scenario: output.schema judges what output.as gives
    Given a workflow that has:
    """yaml
    do:
    - good:
        set: {id: 7}
        output:
          as: .id
          schema: {document: {type: integer}}
    - bad:
        set: {id: 7}
        output:
          as: .id
          schema: {document: {type: object}}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'validation', status 400, at '/do/1/bad'
    And good should complete

  Scenario: The workflow's output.as shapes what the last task gave
    Given a workflow that has:
    """yaml
    do:
    - first: {set: {a: 1, b: 2}, export: {as: .b}}
    output: {as: {a: '${ .a }', context: '${ $context }', raw: '${ $workflow.input }'}}
    """
    And given the workflow input is:
    """yaml
    {in: 1}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {a: 1, context: 2, raw: {in: 1}}
    """

  Scenario: The workflow's output.schema judges what output.as gives
    Given a workflow that has:
    """yaml
    do:
    - first: {set: {a: text}}
    output:
      as: .a
      schema: {document: {type: integer}}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'validation', status 400, at '/output'

  Scenario: Without a transformation data goes on as it is
    Given a workflow that has:
    """yaml
    do:
    - nothing: {wait: {milliseconds: 1}}
    """
    And given the workflow input is:
    """yaml
    [1, {a: null}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [1, {a: null}]
    """

  Scenario: A workflow without input starts with null
    Given a workflow that has:
    """yaml
    do:
    - look: {set: {dot: '${ . }', grown: '${ .list + [1] }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {dot: null, grown: [1]}
    """

  Scenario: export.as replaces the context by what it makes of the output
    Given a workflow that has:
    """yaml
    do:
    - first: {set: {a: 1, b: 2}, export: {as: '{kept: .a}'}}
    - second: {set: {c: '${ $context }'}, export: {as: .}}
    - third: {set: '${ $context }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    c: {kept: 1}
    """

  Scenario: export.as may merge into the context
    Given a workflow that has:
    """yaml
    do:
    - first: {set: {a: 1}, export: {as: '$context + .'}}
    - second: {set: {b: 2}, export: {as: '$context + .'}}
    - third: {set: '${ $context }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {a: 1, b: 2}
    """

  Scenario: export.as may be an object, and sees the shaped output
    Given a workflow that has:
    """yaml
    do:
    - first:
        input: {from: '{x: 1}'}
        set: {a: 1}
        output: {as: .a}
        export: {as: {dot: '${ . }', output: '${ $output }', input: '${ $input }', raw: '${ $task.output }'}}
    - second: {set: '${ $context }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {dot: 1, output: 1, input: {x: 1}, raw: {a: 1}}
    """

  Scenario: export.schema judges the new context
    Given a workflow that has:
    """yaml
    do:
    - good: {set: {a: 1}, export: {as: ., schema: {document: {type: object, required: [a]}}}}
    - bad: {set: {b: 1}, export: {as: ., schema: {document: {type: object, required: [a]}}}}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'validation', status 400, at '/do/1/bad'
    And good should complete

  Scenario: The context starts out empty, and does not change the data
    Given a workflow that has:
    """yaml
    do:
    - first: {set: {a: '${ $context }'}, export: {as: '"other"'}}
    - second: {set: {first: '${ .a }', context: '${ $context }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {first: {}, context: other}
    """

  Scenario: A skipped task hands its raw input on and exports nothing
    Given a workflow that has:
    """yaml
    do:
    - skipped:
        if: .go
        input: {from: .order}
        set: {never: true}
        output: {as: .never}
        export: {as: '"exported"'}
    - look: {set: {dot: '${ . }', context: '${ $context }'}}
    """
    And given the workflow input is:
    """yaml
    {go: false, order: 1}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {dot: {go: false, order: 1}, context: {}}
    """
    And skipped should be skipped
    And skipped should not run

  Scenario Outline: if is true for everything but false and null
    Given a workflow that has:
    """yaml
    do:
    - maybe: {if: '${ <condition> }', set: {ran: true}}
    """
    When the workflow is executed
    Then the workflow should complete with the output <output>

    Examples:
      | condition | output      |
      | true      | {ran: true} |
      | 0         | {ran: true} |
      | ""        | {ran: true} |
      | []        | {ran: true} |
      | false     | null        |
      | null      | null        |
      | .missing  | null        |

  Scenario: An if that cannot be evaluated is an error, not false
    Given a workflow that has:
    """yaml
    do:
    - maybe: {if: '.a + 1 > "x" + 1', set: {ran: true}}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 400, at '/do/0/maybe'

  Scenario: A skipped task does not follow its own then
    Given a workflow that has:
    """yaml
    do:
    - leave: {if: .leave, set: {left: true}, then: end}
    - stay: {set: {stayed: true}}
    """
    And given the workflow input is:
    """yaml
    leave: false
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    stayed: true
    """

  Scenario: if and input.from see the context and the task
    Given a workflow that has:
    """yaml
    do:
    - first: {set: {a: 1}, export: {as: .}}
    - second:
        if: $context.a == 1 and $task.name == "second" and $workflow.input == "in"
        input: {from: '{context: $context, name: $task.name, raw: $task.input}'}
        set: '${ . }'
    """
    And given the workflow input is:
    """yaml
    in
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {context: {a: 1}, name: second, raw: {a: 1}}
    """

  Scenario: The words of an error never hold the data
    Given a workflow that has:
    """yaml
    do:
    - bad:
        input: {schema: {document: {properties: {card: {type: integer}}}}}
        set: {a: 1}
    """
    And given the workflow input is:
    """yaml
    card: 4111-1111
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'validation', status 400, at '/do/0/bad'
    And '4111' should appear nowhere

  Scenario: What a jq expression fails with is not told
    Given a workflow that does [{bad: {set: '${ .card | tonumber }'}}]
    And given the workflow input is:
    """yaml
    card: 4111-1111
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 400, at '/do/0/bad'
    And '4111' should appear nowhere

  Scenario: export.schema alone judges the context as it is
    Given a workflow that has:
    """yaml
    do:
    - first: {set: {a: 1}, export: {schema: {document: {maxProperties: 0}}}}
    - second: {set: {a: 1}, export: {as: .}}
    - third: {set: {b: 1}, export: {schema: {document: {required: [b]}}}}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'validation', status 400, at '/do/2/third'
    And second should complete

  Scenario Outline: An error in each place names the task
    Given a workflow that does [{group: {do: [{bad: {<place>}}]}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 400, at '/do/0/group/do/0/bad'
    And bad should fault

    Examples:
      | place                                             |
      | if: error, set: {a: 1}                            |
      | input: {from: error}, set: {a: 1}                 |
      | set: {a: '${ error }'}                            |
      | set: {a: 1}, output: {as: error}                  |
      | set: {a: 1}, output: {as: {b: ['${ error }']}}    |
      | set: {a: 1}, export: {as: error}                  |
      | set: {a: 1}, timeout: {after: '${ error }'}       |

  Scenario Outline: An error in the transformations of the workflow names them
    Given a workflow that has <fields> and does [{one: {set: {a: 1}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 400, at '<pointer>'

    Examples:
      | fields                    | pointer     |
      | {input: {from: error}}    | /input/from |
      | {output: {as: error}}     | /output/as  |
