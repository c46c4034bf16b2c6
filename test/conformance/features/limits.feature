Feature: Limits
  No definition and no data takes more than its share.

  Scenario: A run that goes round in circles
    Given a workflow that has:
    """yaml
    do:
    - one: {set: {a: 1}}
    - two: {set: {a: 2}, then: one}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'runtime', status 500, at '/do/0/one'
    And the caller should get the code 'workflow_failed' and the status 500
    And one should run 5000 times

  Scenario: Loops that go round too often together
    Given a workflow that has:
    """yaml
    do:
    - outer:
        for: {in: '[range(6000)]'}
        do:
        - inner: {for: {in: '[1]'}, while: 'false', do: [{never: {set: {a: 1}}}]}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'runtime', status 500, at '/do/0/outer'

  Scenario: No catch and no retry helps against a limit
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - one: {set: {a: 1}}
        - two: {set: {a: 2}, then: one}
        catch: {retry: {limit: {attempt: {count: 3}}}, do: [{never: {set: {caught: true}}}]}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'runtime', status 500, at '/do/0/attempt/try/1/two'
    And never should not run
    And attempt should be retried 0 times

  Scenario: An output that is too large
    Given a workflow that has:
    """yaml
    do:
    - grow: {set: {text: '${ "x" * 1048550 }'}}
    - more: {set: {text: '${ .text + "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" }'}}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'runtime', status 500, at '/do/1/more'
    And grow should complete

  Scenario: A context that is too large
    Given a workflow that has:
    """yaml
    do:
    - fits: {set: '${ "x" * 262000 }', export: {as: .}}
    - more: {set: '${ "x" * 263000 }', export: {as: .}}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'runtime', status 500, at '/do/1/more'
    And fits should complete

  Scenario: An output that is nested too deep
    Given a workflow that does [{nest: {set: '${ reduce range(130) as $i (1; [.]) }'}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'runtime', status 500, at '/do/0/nest'

  Scenario: An expression that takes too long
    Given a workflow that does [{slow: {set: '${ [range(100000000)] | length }'}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'runtime', status 500, at '/do/0/slow'

  Scenario Outline: An expression that would take too much memory
    Given a workflow that does [{big: {set: '${ <expression> }'}}]
    And given the workflow input is:
    """yaml
    {s: abc, n: 2000000000}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 400, at '/do/0/big'

    Examples:
      | expression              |
      | .s * .n                 |
      | [limit(5; repeat(.s * 100000000))] |

  Scenario: Too many branches at once
    Given a workflow that has:
    """yaml
    do:
    - a: {fork: {branches: [{a1: {do: [{b: {fork: {branches: [{c1: {wait: PT1S}}, {c2: {wait: PT1S}}]}}}]}}, {a2: {wait: PT1S}}]}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [[null, null], null]
    """

  Scenario: More branches than a fork may have are refused
    Given a workflow that does [{a: {fork: {branches: [{b1: {set: {a: 1}}}, {b2: {set: {a: 1}}}, {b3: {set: {a: 1}}}, {b4: {set: {a: 1}}}, {b5: {set: {a: 1}}}, {b6: {set: {a: 1}}}, {b7: {set: {a: 1}}}, {b8: {set: {a: 1}}}, {b9: {set: {a: 1}}}, {b10: {set: {a: 1}}}, {b11: {set: {a: 1}}}, {b12: {set: {a: 1}}}, {b13: {set: {a: 1}}}, {b14: {set: {a: 1}}}, {b15: {set: {a: 1}}}, {b16: {set: {a: 1}}}, {b17: {set: {a: 1}}}, {b18: {set: {a: 1}}}, {b19: {set: {a: 1}}}, {b20: {set: {a: 1}}}, {b21: {set: {a: 1}}}, {b22: {set: {a: 1}}}, {b23: {set: {a: 1}}}, {b24: {set: {a: 1}}}, {b25: {set: {a: 1}}}, {b26: {set: {a: 1}}}, {b27: {set: {a: 1}}}, {b28: {set: {a: 1}}}, {b29: {set: {a: 1}}}, {b30: {set: {a: 1}}}, {b31: {set: {a: 1}}}, {b32: {set: {a: 1}}}, {b33: {set: {a: 1}}}]}}}]
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/a/fork/branches' because at most 32

  Scenario: Branches of loops that each run 32 branches are counted while they run
    Given a workflow that has:
    """yaml
    use:
      functions:
        eight:
          fork:
            branches: [{b1: {wait: PT1S}}, {b2: {wait: PT1S}}, {b3: {wait: PT1S}}, {b4: {wait: PT1S}}, {b5: {wait: PT1S}}, {b6: {wait: PT1S}}, {b7: {wait: PT1S}}, {b8: {wait: PT1S}}]
        sixtyFour:
          fork:
            branches: [{b1: {call: eight}}, {b2: {call: eight}}, {b3: {call: eight}}, {b4: {call: eight}}, {b5: {call: eight}}, {b6: {call: eight}}, {b7: {call: eight}}, {b8: {call: eight}}]
    do:
    - fine: {call: sixtyFour}
    - tooMany:
        fork: {branches: [{b1: {call: sixtyFour}}, {b2: {call: sixtyFour}}, {b3: {call: sixtyFour}}, {b4: {call: sixtyFour}}]}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'runtime', status 500, at '/use/functions/eight'
    And fine should complete

  Scenario: Workflows that run one another too deep are refused
    Given a workflow that does [{go: {run: {workflow: {namespace: default, name: w2, version: latest}}}}]
    And another workflow with definition:
    """yaml
    {document: {dsl: '1.0.3', namespace: default, name: w2, version: '1.0.0'}, do: [{go: {run: {workflow: {namespace: default, name: w3, version: latest}}}}]}
    """
    And another workflow with definition:
    """yaml
    {document: {dsl: '1.0.3', namespace: default, name: w3, version: '1.0.0'}, do: [{go: {run: {workflow: {namespace: default, name: w4, version: latest}}}}]}
    """
    And another workflow with definition:
    """yaml
    {document: {dsl: '1.0.3', namespace: default, name: w4, version: '1.0.0'}, do: [{go: {run: {workflow: {namespace: default, name: w5, version: latest}}}}]}
    """
    And another workflow with definition:
    """yaml
    {document: {dsl: '1.0.3', namespace: default, name: w5, version: '1.0.0'}, do: [{go: {run: {workflow: {namespace: default, name: w6, version: latest}}}}]}
    """
    And another workflow with definition:
    """yaml
    {document: {dsl: '1.0.3', namespace: default, name: w6, version: '1.0.0'}, do: [{go: {run: {workflow: {namespace: default, name: w7, version: latest}}}}]}
    """
    And another workflow with definition:
    """yaml
    {document: {dsl: '1.0.3', namespace: default, name: w7, version: '1.0.0'}, do: [{go: {run: {workflow: {namespace: default, name: w8, version: latest}}}}]}
    """
    And another workflow with definition:
    """yaml
    {document: {dsl: '1.0.3', namespace: default, name: w8, version: '1.0.0'}, do: [{go: {run: {workflow: {namespace: default, name: w9, version: latest}}}}]}
    """
    And another workflow with definition:
    """yaml
    {document: {dsl: '1.0.3', namespace: default, name: w9, version: '1.0.0'}, do: [{go: {run: {workflow: {namespace: default, name: w10, version: latest}}}}]}
    """
    And another workflow with definition:
    """yaml
    {document: {dsl: '1.0.3', namespace: default, name: w10, version: '1.0.0'}, do: [{last: {set: {a: 1}}}]}
    """
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/go/run/workflow' because 9 deep
