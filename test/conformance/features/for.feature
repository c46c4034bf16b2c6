Feature: For
  Loops over arrays.

  Scenario: The item, its index and the output of the time before
    Given a workflow that has:
    """yaml
    do:
    - loop:
        for: {each: pet, in: .pets, at: place}
        do:
        - note: {set: {seen: '${ (.seen // []) + ["\($place):\($pet.name)"] }'}}
    """
    And given the workflow input is:
    """yaml
    pets: [{name: Rex}, {name: Tom}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    seen: ['0:Rex', '1:Tom']
    """
    And note should run 2 times

  Scenario: The variables are called item and index unless they are named
    Given a workflow that has:
    """yaml
    do:
    - loop:
        for: {in: '${ ["a", "b"] }'}
        do:
        - note: {set: '${ (. // []) + [[$index, $item]] }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [[0, a], [1, b]]
    """

  Scenario: The array may stand in the definition, with expressions in it
    Given a workflow that has:
    """yaml
    do:
    - loop:
        for:
          each: color
          in: [{name: red}, {name: '${ .favourite }'}]
        do:
        - note: {set: {favourite: '${ .favourite }', names: '${ (.names // []) + [$color.name] }'}}
    """
    And given the workflow input is:
    """yaml
    favourite: green
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {favourite: green, names: [red, green]}
    """

  Scenario: while ends the loop before an item for which it does not hold
    Given a workflow that has:
    """yaml
    do:
    - loop:
        for: {in: .items}
        while: (.sum // 0) + $item <= 5
        do:
        - add: {set: {sum: '${ (.sum // 0) + $item }', at: '${ $index }'}}
    """
    And given the workflow input is:
    """yaml
    items: [1, 2, 3, 4]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {sum: 3, at: 1}
    """

  Scenario: Without items the input is the output
    Given a workflow that has:
    """yaml
    do:
    - loop:
        for: {in: .items}
        do:
        - never: {set: {ran: true}}
    """
    And given the workflow input is:
    """yaml
    items: []
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    items: []
    """
    And never should not run

  Scenario: exit ends one time round, end ends the workflow
    Given a workflow that has:
    """yaml
    do:
    - loop:
        for: {in: '[1, 2, 3]'}
        do:
        - count:
            set: {n: '${ (.n // 0) + $item }'}
        - choose:
            switch:
            - enough: {when: .n >= 3, then: end}
            - next: {then: exit}
        - never: {set: {ran: true}}
    - after: {set: {after: true}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 3
    """
    And count should run 2 times
    And never should not run
    And after should not run

  Scenario: Loops in loops keep their variables apart
    Given a workflow that has:
    """yaml
    do:
    - outer:
        for: {each: a, in: '["x", "y"]', at: i}
        do:
        - inner:
            for: {each: b, in: '[1, 2]', at: j}
            do:
            - note: {set: '${ (. // []) + ["\($a)\($b)\($i)\($j)"] }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [x100, x201, y110, y211]
    """

  Scenario: An inner variable hides an outer one of the same name until its loop is over
    Given a workflow that has:
    """yaml
    do:
    - outer:
        for: {in: '["x", "y"]'}
        do:
        - inner:
            for: {in: '[1]'}
            do:
            - within: {set: '${ (. // []) + [$item] }'}
        - without: {set: '${ . + [$item] }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [1, x, 1, y]
    """

  Scenario: A loop shapes its input, and the output of its last time round
    Given a workflow that has:
    """yaml
    do:
    - loop:
        input: {from: '{list: .items, sum: 0}'}
        for: {in: .list}
        do:
        - add: {set: {sum: '${ .sum + $item }'}}
        output: {as: '{total: .sum, of: $input.list}'}
        export: {as: .total}
    - look: {set: {loop: '${ . }', context: '${ $context }'}}
    """
    And given the workflow input is:
    """yaml
    items: [1, 2, 3]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {loop: {total: 6, of: [1, 2, 3]}, context: 6}
    """

  Scenario: The context goes from one time round to the next
    Given a workflow that has:
    """yaml
    do:
    - loop:
        for: {in: '[1, 2, 3]'}
        do:
        - add: {set: '${ $item }', export: {as: '($context | if type == "array" then . else [] end) + [.]'}}
    - look: {set: '${ $context }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [1, 2, 3]
    """

  Scenario Outline: What is no array cannot be gone through
    Given a workflow that has:
    """yaml
    do:
    - loop:
        for: {in: '<array>'}
        do:
        - never: {set: {ran: true}}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 400, at '/do/0/loop'

    Examples:
      | array    |
      | .missing |
      | {a: 1}   |
      | "text"   |

  Scenario: An error names the task in the loop
    Given a workflow that has:
    """yaml
    do:
    - loop:
        for: {in: '[1]'}
        do:
        - fine: {set: {ok: true}}
        - bad: {raise: {error: {type: 'https://example.com/bad', status: 422}}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://example.com/bad
    status: 422
    instance: /do/0/loop/do/1/bad
    """
