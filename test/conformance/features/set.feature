Feature: Set
  What a set task makes of its input.

  Scenario: An expression gives the whole output
    Given a workflow that has:
    """yaml
    do:
    - pick:
        set: ${ .configuration.size }
    """
    And given the workflow input is:
    """yaml
    configuration: {size: {width: 6}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    width: 6
    """

  Scenario: Expressions stand at any depth, and constants stay as they are
    Given a workflow that has:
    """yaml
    do:
    - build:
        set:
          constant: {list: [1, two, null, true, 1.5], text: .name}
          computed: [{name: '${ .name }'}, ['${ .count + 1 }']]
    """
    And given the workflow input is:
    """yaml
    {name: Ada, count: 41}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    constant: {list: [1, two, null, true, 1.5], text: .name}
    computed: [{name: Ada}, [42]]
    """

  Scenario: The output replaces the input
    Given a workflow that has:
    """yaml
    do:
    - first: {set: {a: 1}}
    - second: {set: {b: '${ .a }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    b: 1
    """

  Scenario: An expression may give any type
    Given a workflow that has:
    """yaml
    do:
    - list: {set: '${ [1, "a", null] }'}
    - count: {set: '${ length }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    3
    """

  Scenario: Expression syntax in data is data
    Given a workflow that has:
    """yaml
    do:
    - copy: {set: {said: '${ .text }', all: '${ . }'}}
    """
    And given the workflow input is:
    """yaml
    text: '${ 1 + 1 }'
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    said: '${ 1 + 1 }'
    all: {text: '${ 1 + 1 }'}
    """

  Scenario: Large numbers keep their digits
    Given a workflow that has:
    """yaml
    do:
    - keep: {set: {big: '${ .big }', sum: '${ .big + 1 }', small: 12345678901234567890}}
    """
    And given the workflow input is:
    """yaml
    big: 9007199254740993
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {big: 9007199254740993, sum: 9007199254740994, small: 12345678901234567890}
    """

  Scenario Outline: What does not give exactly one value fails
    Given a workflow that has:
    """yaml
    do:
    - bad: {set: {value: '${ <expression> }'}}
    """
    And given the workflow input is:
    """yaml
    text: ten
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 400, at '/do/0/bad'
    And bad should fault

    Examples:
      | expression           |
      | .text + 1            |
      | empty                |
      | (1, 2)               |
      | error("no")          |
      | .text \| fromjson    |
      | .text[0].a           |
