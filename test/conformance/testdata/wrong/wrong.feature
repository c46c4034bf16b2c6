Feature: What is not so
  Every scenario here says something wrong about a workflow, and has to fail: else its step checks nothing.

  Scenario: A run that completes, 1
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the workflow should fault

  Scenario: A run that completes, 2
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the workflow should complete with the output {a: 2, list: [1]}

  Scenario: A run that completes, 3
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the workflow output should have properties 'a', 'b'

  Scenario: A run that completes, 4
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the workflow output should have a 'list' property containing 2 items

  Scenario: A run that completes, 5
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the workflow output should not have a 'a' property

  Scenario: A run that completes, 6
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then two should run first

  Scenario: A run that completes, 7
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then two should run last

  Scenario: A run that completes, 8
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then two should run before one

  Scenario: A run that completes, 9
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then one should run after two

  Scenario: A run that completes, 10
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then never should run after one

  Scenario: A run that completes, 11
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then one should run 2 times

  Scenario: A run that completes, 12
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then one should be retried 1 time

  Scenario: A run that completes, 13
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then one should be skipped

  Scenario: A run that completes, 14
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then never should complete

  Scenario: A run that completes, 15
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then one should fault

  Scenario: A run that completes, 16
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then one should not run

  Scenario: A run that completes, 17
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then three should start at 5s

  Scenario: A run that completes, 18
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the run should take 4s

  Scenario: A run that completes, 19
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the task at '/do/0/one' should be a 'wait'

  Scenario: A run that completes, 20
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the task at '/do/9/nine' should be a 'set'

  Scenario: A run that completes, 21
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then 'httpbin.org' should have received 2 requests

  Scenario: A run that completes, 22
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then request 1 to 'httpbin.org' should be 'GET /other'

  Scenario: A run that completes, 23
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then request 2 to 'httpbin.org' should be 'GET /anything'

  Scenario: A run that completes, 24
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then request 1 to 'httpbin.org' should have the header 'User-Agent' with value 'other'

  Scenario: A run that completes, 25
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then request 1 to 'httpbin.org' should not have the header 'User-Agent'

  Scenario: A run that completes, 26
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then request 1 to 'httpbin.org' should have the body 'x'

  Scenario: A run that completes, 27
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the sink should have received 1 event

  Scenario: A run that completes, 28
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the sink should have received the output

  Scenario: A run that completes, 29
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then 'list' should appear nowhere

  Scenario: A run that completes, 30
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the caller should get the code 'timeout'

  Scenario: A run that completes, 31
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the error detail should mention 'x'

  Scenario: A run that completes, 32
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'timeout', status 408, at '/do/0/one'

  Scenario: A run that completes, 33
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then there is no such step

  Scenario: A run that completes, 34
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {a: 2, list: [1]}
    """

  Scenario: A run that completes, 35
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: x, status: 1}
    """

  Scenario: A run that completes, 36
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the workflow should fault with an error that has:
    """yaml
    {type: x}
    """

  Scenario: A run that completes, 37
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the workflow output should have a 'a' property with value:
    """yaml
    2
    """

  Scenario: A run that completes, 38
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then a run of 'other' should have been started with:
    """yaml
    {}
    """

  Scenario: A run that completes, 39
    Given a workflow that does [{one: {set: {a: 1, list: [1]}}}, {two: {call: http, with: {method: get, endpoint: 'https://httpbin.org/anything'}, output: {as: $input}}}, {three: {wait: PT5S}}]
    When the workflow is executed
    Then the run of 'other' should have completed with output:
    """yaml
    {}
    """

  Scenario: A run that fails, 1
    Given a workflow that does [{one: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}}]
    When the workflow is executed
    Then the workflow should complete

  Scenario: A run that fails, 2
    Given a workflow that does [{one: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}}]
    When the workflow is executed
    Then the workflow should complete with the output null

  Scenario: A run that fails, 3
    Given a workflow that does [{one: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}}]
    When the workflow is executed
    Then the workflow output should have properties 'a'

  Scenario: A run that fails, 4
    Given a workflow that does [{one: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 409, at '/do/0/one'

  Scenario: A run that fails, 5
    Given a workflow that does [{one: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}}]
    When the workflow is executed
    Then the error detail should mention 'x'

  Scenario: A run that fails, 6
    Given a workflow that does [{one: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}}]
    When the workflow is executed
    Then the caller should get the code 'timeout'

  Scenario: A run that fails, 7
    Given a workflow that does [{one: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}}]
    When the workflow is executed
    Then the caller should get the code 'workflow_failed' and the status 400

  Scenario: A run that fails, 8
    Given a workflow that does [{one: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}}]
    When the workflow is executed
    Then 'example.com' should appear nowhere

  Scenario: A run that fails, 9
    Given a workflow that does [{one: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}}]
    When the workflow is executed
    Then one should complete

  Scenario: A run that fails, 10
    Given a workflow that does [{one: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}}]
    When the workflow is executed
    Then one should run before one

  Scenario: A run that fails, 11
    Given a workflow that does [{one: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}}]
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.com/x', status: 409, instance: /do/0/one}
    """

  Scenario: A run that fails, 12
    Given a workflow that does [{one: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}}]
    When the workflow is executed
    Then the workflow should fault with an error that has:
    """yaml
    {type: 'https://example.com/x', status: 400, title: Taken, instance: /do/0/one}
    """

  Scenario: A run that fails, 13
    Given a workflow that does [{one: {raise: {error: {type: 'https://example.com/x', status: 409, title: Taken}}}}]
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    null
    """

  Scenario: A definition that is refused, 1
    Given a workflow that does [{one: {sett: {a: 1}}}]
    When the workflow is compiled
    Then the workflow should be accepted

  Scenario: A definition that is refused, 2
    Given a workflow that does [{one: {sett: {a: 1}}}]
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/one' because does not exist

  Scenario: A definition that is refused, 3
    Given a workflow that does [{one: {sett: {a: 1}}}]
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/one/sett' because something else

  Scenario: A definition that is refused, 4
    Given a workflow that does [{one: {sett: {a: 1}}}]
    When the workflow is compiled
    Then there should be 2 problems

  Scenario: A definition that is refused, 5
    Given a workflow that does [{one: {sett: {a: 1}}}]
    When the workflow is compiled
    Then the workflow should complete

  Scenario: A definition that is refused, 6
    Given a workflow that does [{one: {sett: {a: 1}}}]
    When the workflow is compiled
    Then the workflow should fault

  Scenario: A definition that is refused cannot be executed
    Given a workflow that does [{one: {sett: {a: 1}}}]
    When the workflow is executed
    Then the workflow should fault

  Scenario: A definition that is accepted
    Given a workflow that does [{one: {set: {a: 1}}}]
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/one' because anything
