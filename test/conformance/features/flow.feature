Feature: Flow
  Where a run goes on: do, switch and the flow directives.

  Scenario: A do task hands data through its tasks, and shapes what the last one gives
    Given a workflow that has:
    """yaml
    do:
    - both:
        input: {from: .n}
        do:
        - twice: {set: '${ . * 2 }'}
        - once: {set: '${ . + 1 }'}
        output: {as: '{result: ., from: $input}'}
    """
    And given the workflow input is:
    """yaml
    n: 20
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {result: 41, from: 20}
    """
    And both should run first
    And once should run after twice

  Scenario: exit leaves the list, and the workflow goes on after it
    Given a workflow that has:
    """yaml
    do:
    - inner:
        do:
        - one: {set: {at: one}, then: exit}
        - two: {set: {at: two}}
    - after: {set: {at: '${ .at + " and after" }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: one and after
    """
    And two should not run

  Scenario: end ends the workflow from any depth, and its output is shaped
    Given a workflow that has:
    """yaml
    do:
    - outer:
        do:
        - inner:
            do:
            - one: {set: {at: one}, then: end}
            - two: {set: {at: two}}
        - three: {set: {at: three}}
    - four: {set: {at: four}}
    output: {as: '{ended: .at}'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ended: one
    """
    And two should not run
    And three should not run
    And four should not run

  Scenario: exit in the main list ends the workflow
    Given a workflow that has:
    """yaml
    do:
    - one: {set: {at: one}, then: exit}
    - two: {set: {at: two}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: one
    """

  Scenario: continue is what happens anyway
    Given a workflow that has:
    """yaml
    do:
    - one: {set: {at: one}, then: continue}
    - two: {set: {at: '${ .at + " two" }'}, then: continue}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: one two
    """

  Scenario: A task may go back in its list
    Given a workflow that has:
    """yaml
    do:
    - count: {set: {n: '${ (.n // 0) + 1 }'}}
    - again:
        switch:
        - more: {when: .n < 3, then: count}
    - last: {set: {counted: '${ .n }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    counted: 3
    """
    And count should run 3 times
    And last should run last

  Scenario: The first case that holds counts
    Given a workflow that has:
    """yaml
    do:
    - choose:
        switch:
        - never: {when: 'false', then: wrong}
        - first: {when: .n > 1, then: right}
        - second: {when: .n > 2, then: wrong}
        - otherwise: {then: wrong}
    - wrong: {set: {it: wrong}, then: end}
    - right: {set: {it: right, n: '${ .n }'}}
    """
    And given the workflow input is:
    """yaml
    n: 3
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {it: right, n: 3}
    """
    And wrong should not run

  Scenario: The default case counts last, wherever it stands
    Given a workflow that has:
    """yaml
    do:
    - choose:
        switch:
        - otherwise: {then: wrong}
        - matching: {when: '${ .n == 3 }', then: right}
    - wrong: {set: {it: wrong}, then: end}
    - right: {set: {it: right}}
    """
    And given the workflow input is:
    """yaml
    n: 3
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    it: right
    """

  Scenario Outline: The directives of a case
    Given a workflow that has:
    """yaml
    do:
    - inner:
        do:
        - choose: {switch: [{only: {then: <then>}}]}
        - skipped: {set: {at: skipped}}
    - after: {set: {at: '${ (.at // "nothing") + ", after" }'}}
    """
    And given the workflow input is:
    """yaml
    {at: start}
    """
    When the workflow is executed
    Then the workflow should complete with the output <output>

    Examples:
      | then     | output                  |
      | continue | {at: 'skipped, after'}  |
      | exit     | {at: 'start, after'}    |
      | end      | {at: start}             |

  Scenario: A case goes before the switch's own then, which is for no match
    Given a workflow that has:
    """yaml
    do:
    - choose:
        switch:
        - match: {when: .match, then: matched}
        then: unmatched
    - unmatched: {set: {it: unmatched}, then: end}
    - matched: {set: {it: matched}}
    """
    And given the workflow input is:
    """yaml
    match: true
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    it: matched
    """

  Scenario: A switch hands its shaped input on
    Given a workflow that has:
    """yaml
    do:
    - choose:
        input: {from: .order}
        switch: [{only: {when: .id == 7, then: continue}}]
        output: {as: '{order: .}'}
    """
    And given the workflow input is:
    """yaml
    order: {id: 7}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    order: {id: 7}
    """

  Scenario: A condition that cannot be evaluated is an error
    Given a workflow that has:
    """yaml
    do:
    - choose:
        switch:
        - bad: {when: '.a.b + {} > 1', then: end}
    """
    And given the workflow input is:
    """yaml
    {a: {b: 1}}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 400, at '/do/0/choose'

  Scenario: exit after a composite task leaves the list that it stands in
    Given a workflow that has:
    """yaml
    do:
    - inner:
        do:
        - loop: {for: {in: '[1, 2]'}, do: [{one: {set: {n: '${ $item }'}}}], then: exit}
        - never: {set: {never: true}}
    - after: {set: {after: '${ .n }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    after: 2
    """

  Scenario: The tasks of an inner list may have the names of outer ones
    Given a workflow that has:
    """yaml
    do:
    - a:
        do:
        - a: {set: {n: 1}, then: b}
        - c: {set: {n: 2}}
        - b: {set: {n: '${ .n + 10 }'}}
    - b: {set: {n: '${ .n + 100 }', reference: '${ $task.reference }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {n: 111, reference: /do/1/b}
    """

  Scenario Outline: Events name the task, its place and its kind
    Given a workflow that does [{group: {do: [{one: <task>}]}}]
    When the workflow is executed
    Then the workflow should complete
    And the task at '/do/0/group/do/0/one' should be a '<kind>'
    And the task at '/do/0/group' should be a 'do'

    Examples:
      | task                                                                          | kind         |
      | {set: {a: 1}}                                                                 | set          |
      | {wait: PT1S}                                                                  | wait         |
      | {switch: [{a: {then: continue}}]}                                             | switch       |
      | {for: {in: '[]'}, do: [{a: {set: {a: 1}}}]}                                   | for          |
      | {fork: {branches: [{a: {set: {a: 1}}}]}}                                      | fork         |
      | {try: [{a: {set: {a: 1}}}], catch: {}}                                        | try          |
      | {emit: {event: {with: {type: a.b}}}}                                          | emit         |
      | {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}}   | call http    |

  Scenario: A caller that goes away ends the run, whatever catches
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - slow: {wait: PT1M}
        catch: {retry: {limit: {attempt: {count: 3}}}, do: [{never: {set: {caught: true}}}]}
    """
    And the caller goes away after 5s
    When the workflow is executed
    Then the caller should get the code 'timeout'
    And the run should take 5s
    And never should not run
    And slow should run 1 time
