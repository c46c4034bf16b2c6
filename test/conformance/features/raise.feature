Feature: Raise
  Errors that a workflow makes itself.

  Scenario: Every part of an error, with expressions
    Given a workflow that has:
    """yaml
    do:
    - check:
        do:
        - refuse:
            raise:
              error:
                type: ${ "https://example.com/errors/" + .kind }
                status: 422
                title: ${ "No " + .what }
                detail: ${ "\(.what) of \($workflow.definition.document.name)" }
    """
    And given the workflow input is:
    """yaml
    {kind: stock, what: apples}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://example.com/errors/stock
    status: 422
    title: No apples
    detail: apples of test
    instance: /do/0/check/do/0/refuse
    """
    And the caller should get the code 'workflow_failed' and the status 422

  Scenario: An error of use.errors by its name
    Given a workflow that has:
    """yaml
    use:
      errors:
        teapot: {type: 'https://example.com/teapot', status: 418, title: Teapot, detail: '${ "short and \(.shape)" }'}
    do:
    - brew: {raise: {error: teapot}}
    """
    And given the workflow input is:
    """yaml
    shape: stout
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.com/teapot', status: 418, title: Teapot, detail: short and stout, instance: /do/0/brew}
    """
    And the caller should get the code 'workflow_failed' and the status 418

  Scenario: The instance is the runtime's to set
    Given a workflow that has:
    """yaml
    do:
    - refuse: {raise: {error: {type: 'https://example.com/x', status: 400, instance: /somewhere/else}}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.com/x', status: 400, instance: /do/0/refuse}
    """

  Scenario: A part that is no text is an error of its own
    Given a workflow that has:
    """yaml
    do:
    - refuse: {raise: {error: {type: 'https://example.com/x', status: 400, title: '${ 1 }'}}}
    """
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 400, at '/do/0/refuse'

  Scenario Outline: The status for the caller is that of an error that was raised
    Given a workflow that does [{refuse: {raise: {error: {type: 'https://example.com/x', status: <raised>}}}}]
    When the workflow is executed
    Then the caller should get the code 'workflow_failed' and the status <told>

    Examples:
      | raised | told |
      | 400    | 400  |
      | 404    | 404  |
      | 503    | 503  |

  Scenario Outline: An error where the task is names its place
    Given a workflow that does <tasks>
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.com/x', status: 400, instance: <instance>}
    """

    Examples:
      | tasks                                                                                                                            | instance                         |
      | [{a: {raise: {error: {type: 'https://example.com/x', status: 400}}}}]                                                            | /do/0/a                          |
      | [{a: {do: [{b: {raise: {error: {type: 'https://example.com/x', status: 400}}}}]}}]                                               | /do/0/a/do/0/b                   |
      | [{a: {for: {in: '[1]'}, do: [{b: {raise: {error: {type: 'https://example.com/x', status: 400}}}}]}}]                             | /do/0/a/do/0/b                   |
      | [{a: {fork: {branches: [{b: {raise: {error: {type: 'https://example.com/x', status: 400}}}}]}}}]                                 | /do/0/a/fork/branches/0/b        |
      | [{a: {try: [{b: {raise: {error: {type: 'https://example.com/x', status: 400}}}}], catch: {errors: {with: {status: 1}}}}}]        | /do/0/a/try/0/b                  |
      | [{a: {try: [{b: {set: '${ error }'}}], catch: {do: [{c: {raise: {error: {type: 'https://example.com/x', status: 400}}}}]}}}]     | /do/0/a/catch/do/0/c             |
      | [{s: {switch: [{x: {then: b}}]}}, {b: {raise: {error: {type: 'https://example.com/x', status: 400}}}}]                           | /do/1/b                          |
      | [{'a/b~c': {raise: {error: {type: 'https://example.com/x', status: 400}}}}]                                                      | /do/0/a~1b~0c                    |
