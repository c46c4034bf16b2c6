Feature: Fork
  Branches side by side.

  Scenario: The outputs are in the order of the branches, whichever is ready first
    Given a workflow that has:
    """yaml
    do:
    - both:
        fork:
          branches:
          - slow:
              do:
              - wait: {wait: {seconds: 5}}
              - say: {set: {said: '${ "slow " + .name }'}}
          - fast: {set: {said: '${ "fast " + .name }'}}
    """
    And given the workflow input is:
    """yaml
    name: Ada
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [{said: slow Ada}, {said: fast Ada}]
    """
    And the run should take 5s

  Scenario: Branches wait side by side
    Given a workflow that has:
    """yaml
    do:
    - all:
        fork:
          branches:
          - one: {wait: {seconds: 3}}
          - two: {wait: {seconds: 5}}
          - three: {wait: {seconds: 4}}
    """
    When the workflow is executed
    Then the workflow should complete
    And the run should take 5s
    And the workflow should complete with output:
    """yaml
    [null, null, null]
    """

  Scenario: The first branch that is ready wins, and the others are ended
    Given a workflow that has:
    """yaml
    do:
    - race:
        fork:
          compete: true
          branches:
          - slow:
              do:
              - wait: {wait: {minutes: 5}}
              - never: {set: {winner: slow}}
          - fast:
              do:
              - short: {wait: {seconds: 2}}
              - say: {set: {winner: fast}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    winner: fast
    """
    And the run should take 2s
    And never should not run

  Scenario: A branch that fails loses the race
    Given a workflow that has:
    """yaml
    do:
    - race:
        fork:
          compete: true
          branches:
          - broken: {raise: {error: {type: 'https://example.com/broken', status: 500}}}
          - slow:
              do:
              - wait: {wait: {seconds: 2}}
              - say: {set: {winner: slow}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    winner: slow
    """

  Scenario: A race that every branch loses fails
    Given a workflow that has:
    """yaml
    do:
    - race:
        fork:
          compete: true
          branches:
          - one: {raise: {error: {type: 'https://example.com/broken', status: 500}}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.com/broken', status: 500, instance: /do/0/race/fork/branches/0/one}
    """

  Scenario: A branch that fails ends the others, and the fork
    Given a workflow that has:
    """yaml
    do:
    - both:
        fork:
          branches:
          - slow: {wait: {hours: 1}}
          - broken: {raise: {error: {type: 'https://example.com/broken', status: 409}}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.com/broken', status: 409, instance: /do/0/both/fork/branches/1/broken}
    """
    And the run should take 0s

  Scenario: Each branch sees the input, and the fork shapes what they give
    Given a workflow that has:
    """yaml
    do:
    - both:
        input: {from: .n}
        fork:
          branches:
          - plus: {set: '${ . + 1 }'}
          - times: {set: '${ . * 10 }'}
        output: {as: '{plus: .[0], times: .[1]}'}
    """
    And given the workflow input is:
    """yaml
    n: 4
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {plus: 5, times: 40}
    """

  Scenario: What each branch exports is in the context after the fork
    Given a workflow that has:
    """yaml
    do:
    - first: {set: {kept: 1}, export: {as: .}}
    - both:
        fork:
          branches:
          - one: {set: {one: 1}, export: {as: '$context + .'}}
          - two: {set: {two: 2}, export: {as: '$context + .'}}
    - look: {set: '${ $context }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {kept: 1, one: 1, two: 2}
    """

  Scenario: A branch sees nothing of what another one exports
    Given a workflow that has:
    """yaml
    do:
    - both:
        fork:
          branches:
          - one: {set: {one: 1}, export: {as: .}}
          - two:
              do:
              - wait: {wait: {seconds: 1}}
              - look: {set: {seen: '${ $context }'}}
        output: {as: '.[1]'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    seen: {}
    """

  Scenario: end in a branch ends the workflow
    Given a workflow that has:
    """yaml
    do:
    - both:
        fork:
          branches:
          - slow: {wait: {hours: 1}}
          - ender: {set: {ended: true}, then: end}
    - never: {set: {never: true}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ended: true
    """
    And never should not run
    And the run should take 0s

  Scenario: Loop variables are seen in branches
    Given a workflow that has:
    """yaml
    do:
    - loop:
        for: {each: n, in: '[1, 2]'}
        do:
        - both:
            fork:
              branches:
              - one: {set: '${ $n }'}
              - two: {set: '${ $n * 10 }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [2, 20]
    """

  Scenario: A fork in a branch of a fork
    Given a workflow that has:
    """yaml
    do:
    - outer:
        fork:
          branches:
          - inner: {fork: {branches: [{a: {set: '${ "a" }'}}, {b: {set: '${ "b" }'}}]}}
          - c: {set: '${ "c" }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [[a, b], c]
    """

  Scenario: Branches do not follow one another
    Given a workflow that does [{both: {fork: {branches: [{a: {set: {a: 1}, then: b}}, {b: {set: {b: 1}}}]}}}]
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/both/fork/branches/0/a/then' because branch
