Feature: Wait
  Pauses. The clock of a scenario is the harness's, so that none takes long.

  Scenario Outline: The forms of a duration
    Given a workflow that does [{pause: {wait: <duration>}}]
    And given the workflow input is:
    """yaml
    {pause: PT1H, kept: true}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {pause: PT1H, kept: true}
    """
    And the run should take <length>

    Examples:
      | duration                                                       | length      |
      | {seconds: 30}                                                  | 30s         |
      | {days: 1, hours: 2, minutes: 3, seconds: 4, milliseconds: 5}   | 26h3m4.005s |
      | PT30S                                                          | 30s         |
      | P1DT2H3M4.5S                                                   | 26h3m4.5s   |
      | P1W                                                            | 168h        |
      | PT0.25S                                                        | 250ms       |
      | PT0S                                                           | 0s          |
      | '${ .pause }'                                                  | 1h          |
      | '${ "PT\(1 + 1)M" }'                                           | 2m          |

  Scenario: An expression that gives no duration is an error
    Given a workflow that does [{pause: {wait: '${ 30 }'}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 400, at '/do/0/pause'

  Scenario: A wait hands its shaped input on
    Given a workflow that has:
    """yaml
    do:
    - pause:
        input: {from: .a}
        wait: {milliseconds: 1}
        output: {as: '. + 1'}
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    2
    """

  Scenario: Waits one after the other add up, and tasks know the time
    Given a workflow that has:
    """yaml
    do:
    - one: {wait: PT10S}
    - two: {wait: PT20S}
    - look:
        set: {now: '${ now }', started: '${ $task.startedAt.iso8601 }', began: '${ $workflow.startedAt.epoch.seconds }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {now: 1893553475, started: '2030-01-02T03:04:35.000Z', began: 1893553445}
    """
    And one should start at 0s
    And two should start at 10s
    And look should start at 30s

  Scenario: A year of waits
    Given a workflow that has:
    """yaml
    do:
    - loop: {for: {in: '[range(365)]'}, do: [{day: {wait: P1D}}]}
    """
    When the workflow is executed
    Then the workflow should complete
    And the run should take 8760h
