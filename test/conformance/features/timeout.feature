Feature: Timeouts
  What takes too long is ended, in time that the harness makes pass.

  Scenario Outline: A task that takes too long
    Given a workflow that does [{slow: {timeout: <timeout>, wait: PT1M}}]
    And given the workflow input is:
    """yaml
    limit: PT5S
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'timeout', status 408, at '/do/0/slow'
    And the caller should get the code 'timeout'
    And the run should take 5s
    And slow should fault

    Examples:
      | timeout                          |
      | {after: {seconds: 5}}            |
      | {after: PT5S}                    |
      | {after: '${ .limit }'}           |

  Scenario: The limit is not used up
    Given a workflow that has:
    """yaml
    timeout: {after: PT10S}
    do:
    - quick: {timeout: {after: PT5S}, wait: PT4S}
    - done: {set: {done: true}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    done: true
    """
    And the run should take 4s

  Scenario: A timeout of use.timeouts by its name, for tasks and for the workflow
    Given a workflow that has:
    """yaml
    use:
      timeouts:
        short: {after: PT2S}
        long: {after: PT3S}
    timeout: long
    do:
    - attempt:
        try:
        - slow: {timeout: short, wait: PT1H}
        catch: {}
    - slower: {wait: PT1H}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'timeout', status 408, at '/timeout'
    And the run should take 3s

  Scenario: A workflow that takes too long
    Given a workflow that has:
    """yaml
    timeout: {after: {seconds: 30}}
    do:
    - one: {wait: PT20S}
    - two: {wait: PT20S}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'timeout', status 408, at '/timeout'
    And the caller should get the code 'timeout'
    And the run should take 30s
    And one should complete

  Scenario: No catch stops the end of the whole workflow
    Given a workflow that has:
    """yaml
    timeout: {after: PT5S}
    do:
    - attempt:
        try:
        - slow: {wait: PT1M}
        catch: {do: [{never: {set: {caught: true}}}]}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'timeout', status 408, at '/timeout'
    And never should not run

  Scenario: A timeout around tasks ends those inside
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - group:
            timeout: {after: PT5S}
            do:
            - loop:
                for: {in: '[range(100)]'}
                do:
                - step: {wait: PT2S}
        catch: {do: [{handle: {set: {at: '${ $error.instance }', status: '${ $error.status }'}}}]}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {at: /do/0/attempt/try/0/group, status: 408}
    """
    And step should run 3 times
    And the run should take 5s

  Scenario: A call that is not answered is ended
    Given a workflow that has:
    """yaml
    do:
    - ask:
        timeout: {after: PT7S}
        call: http
        with: {method: get, endpoint: 'https://httpbin.org/hang/one'}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'timeout', status 408, at '/do/0/ask'
    And the run should take 7s

  Scenario: A timeout ends every branch of a fork
    Given a workflow that has:
    """yaml
    do:
    - all:
        timeout: {after: PT5S}
        fork:
          branches:
          - one: {wait: PT1H}
          - two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/hang/two'}}
          - three: {wait: PT1S}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'timeout', status 408, at '/do/0/all'
    And the run should take 5s
    And three should complete

  Scenario: Each time round a loop has the whole limit
    Given a workflow that has:
    """yaml
    do:
    - loop:
        for: {in: '[1, 2, 3]'}
        do:
        - step: {timeout: {after: PT5S}, wait: PT4S}
    """
    When the workflow is executed
    Then the workflow should complete
    And the run should take 12s

  Scenario: The inner limit of two counts when it is shorter
    Given a workflow that has:
    """yaml
    do:
    - outer:
        timeout: {after: PT9S}
        do:
        - inner: {timeout: {after: PT2S}, wait: PT1M}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'timeout', status 408, at '/do/0/outer/do/0/inner'
    And the run should take 2s
