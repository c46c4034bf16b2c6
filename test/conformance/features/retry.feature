Feature: Retry
  Trying again, in time that the harness makes pass.

  Scenario: A service that comes back is called again
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - ask:
            call: http
            with: {method: get, endpoint: 'https://httpbin.org/flaky/one'}
            output: {as: .method}
        catch:
          errors: {with: {type: 'https://open-workflow-specification.org/spec/1.0.0/errors/communication', status: 503}}
          retry:
            delay: {seconds: 3}
            limit: {attempt: {count: 5}}
    """
    And '/flaky/one' answers with 503, 503, 200
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    GET
    """
    And ask should run 3 times
    And ask should start at 0s, 3s, 6s
    And attempt should be retried 2 times
    And 'httpbin.org' should have received 3 requests

  Scenario Outline: The delay grows as the backoff says
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: {set: '${ error("no") }'}
        catch:
          retry: {delay: <delay>, backoff: <backoff>, limit: {attempt: {count: 4}}}
          do:
          - handle: {set: {gaveUp: true}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    gaveUp: true
    """
    And bad should start at <times>

    Examples:
      | delay           | backoff           | times                    |
      | {seconds: 2}    | {constant: {}}    | 0s, 2s, 4s, 6s, 8s       |
      | PT2S            | {linear: {}}      | 0s, 2s, 6s, 12s, 20s     |
      | '${ "PT2S" }'   | {exponential: {}} | 0s, 2s, 6s, 14s, 30s     |

  Scenario: Without a delay it is tried again at once
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: {set: '${ error("no") }'}
        catch: {retry: {limit: {attempt: {count: 2}}}, do: [{handle: {set: {gaveUp: true}}}]}
    """
    When the workflow is executed
    Then the workflow should complete
    And bad should start at 0s, 0s, 0s

  Scenario: Jitter adds a part of its range to the delay
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: {set: '${ error("no") }'}
        catch:
          retry:
            delay: {seconds: 10}
            jitter: {from: {seconds: 1}, to: {seconds: 3}}
            limit: {attempt: {count: 3}}
          do: [{handle: {set: {gaveUp: true}}}]
    """
    And the random numbers are 0, 0.5, 0.75
    When the workflow is executed
    Then the workflow should complete
    And bad should start at 0s, 11s, 23s, 35.5s

  Scenario Outline: At most as many more attempts as the limit says
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: {set: '${ error("no") }'}
        catch: {retry: {delay: PT1S, limit: {attempt: {count: <count>}}}, do: [{handle: {set: {gaveUp: true}}}]}
    """
    When the workflow is executed
    Then the workflow should complete
    And bad should run <times> times

    Examples:
      | count | times |
      | 1     | 2     |
      | 5     | 6     |
      | 0     | 1     |

  Scenario: Without a limit of its own it is tried ten more times
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: {set: '${ error("no") }'}
        catch: {retry: {delay: PT1S}, do: [{handle: {set: {gaveUp: true}}}]}
    """
    When the workflow is executed
    Then the workflow should complete
    And bad should run 11 times

  Scenario: All attempts together are no longer than the limit
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: {set: '${ error("no") }'}
        catch: {retry: {delay: PT10S, limit: {duration: {seconds: 35}}}, do: [{handle: {set: {gaveUp: true}}}]}
    """
    When the workflow is executed
    Then the workflow should complete
    And bad should start at 0s, 10s, 20s, 30s
    And the run should take 30s

  Scenario: Each attempt is no longer than the limit, and too long is an error to try again for
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - long: {wait: {minutes: 1}}
        catch:
          errors: {with: {type: 'https://open-workflow-specification.org/spec/1.0.0/errors/timeout'}}
          retry: {delay: PT1S, limit: {attempt: {count: 2, duration: PT5S}}}
          do: [{handle: {set: {gaveUp: true}}}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    gaveUp: true
    """
    And long should start at 0s, 6s, 12s
    And the run should take 17s

  Scenario: when and exceptWhen say whether to try again
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/flaky/two'}}
        catch:
          as: problem
          retry:
            when: $problem.status >= 500
            exceptWhen: $problem.status == 501
            delay: PT1S
            limit: {attempt: {count: 5}}
          do: [{handle: {set: {last: '${ $problem.status }'}}}]
    """
    And '/flaky/two' answers with 503, 502, 501, 200
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    last: 501
    """
    And ask should run 3 times

  Scenario: A policy of use.retries by its name
    Given a workflow that has:
    """yaml
    use:
      retries:
        twice: {delay: PT2S, limit: {attempt: {count: 2}}}
    do:
    - attempt:
        try:
        - bad: {set: '${ error("no") }'}
        catch: {retry: twice, do: [{handle: {set: {gaveUp: true}}}]}
    """
    When the workflow is executed
    Then the workflow should complete
    And bad should start at 0s, 2s, 4s

  Scenario: An error that the catch does not match is not tried again
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: {raise: {error: {type: 'https://example.com/x', status: 400}}}
        catch:
          errors: {with: {status: 503}}
          retry: {delay: PT1S}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.com/x', status: 400, instance: /do/0/attempt/try/0/bad}
    """
    And bad should run 1 time

  Scenario: Each attempt starts with the input of the try, and sees the context of the one before
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - count: {set: '${ ($context.n // 0) + 1 }', export: {as: '{n: ., input: $task.input}'}}
        - enough: {if: . < 3, set: '${ error("no") }'}
        catch: {retry: {delay: PT1S}}
    - look: {set: '${ $context }'}
    """
    And given the workflow input is:
    """yaml
    start
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {n: 3, input: start}
    """

  Scenario: Another error than the one that is tried again for goes on
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - ask: {call: http, with: {method: get, endpoint: 'https://httpbin.org/flaky/three'}}
        catch:
          errors: {with: {status: 503}}
          retry: {delay: PT1S, limit: {attempt: {count: 5}}}
    """
    And '/flaky/three' answers with 503, 503, 404
    When the workflow is executed
    Then the workflow should fault with an error of type 'communication', status 404, at '/do/0/attempt/try/0/ask'
    And ask should start at 0s, 1s, 2s

  Scenario: A timeout around a try ends its attempts and its pauses
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        timeout: {after: PT25S}
        try:
        - bad: {set: '${ error }'}
        catch: {retry: {delay: PT10S}, do: [{never: {set: {caught: true}}}]}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'timeout', status 408, at '/do/0/attempt'
    And bad should start at 0s, 10s, 20s
    And the run should take 25s
    And never should not run

  Scenario: Delays may be expressions that see the error
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - bad: {raise: {error: {type: 'https://example.com/x', status: 503, detail: PT7S}}}
        catch: {retry: {delay: '${ $error.detail }', limit: {attempt: {count: 1}}}, do: [{handle: {set: {gaveUp: true}}}]}
    """
    When the workflow is executed
    Then the workflow should complete
    And bad should start at 0s, 7s
