Feature: Secrets
  Values that nobody sees.

  Scenario: A secret reaches a call through input.from, and is taken out of everything that is told
    Given a workflow that has:
    """yaml
    use: {secrets: [key]}
    do:
    - ask:
        input: {from: '{key: $secrets.key, id: .id}'}
        call: http
        with: {method: get, endpoint: 'https://httpbin.org/anything/{id}', headers: {X-Key: '${ .key }'}}
        output: {as: '.headers["X-Key"]'}
    """
    And the secret 'key' is:
    """yaml
    hush-hush
    """
    And given the workflow input is:
    """yaml
    id: 1
    """
    When the workflow is executed
    Then the workflow should complete
    And request 1 to 'httpbin.org' should have the header 'X-Key' with value 'hush-hush'
    And 'hush-hush' should appear nowhere

  Scenario: The entries of a whole Secret
    Given a workflow that has:
    """yaml
    use: {secrets: [store]}
    do:
    - ask:
        input: {from: '{user: $secrets.store.user, password: $secrets.store["pass-word"]}'}
        call: http
        with: {method: get, endpoint: {uri: 'https://httpbin.org/basic-auth/ada/hush-hush', authentication: {basic: {username: '${ .user }', password: '${ .password }'}}}}
        output: {as: .authenticated}
    """
    And the secret 'store' is:
    """yaml
    {user: ada, pass-word: hush-hush}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    true
    """

  Scenario: A secret in an error is taken out
    Given a workflow that has:
    """yaml
    use: {secrets: [key]}
    do:
    - refuse:
        input: {from: $secrets.key}
        raise: {error: {type: 'https://example.com/x', status: 400, title: '${ "key \(.)" }', detail: '${ "is \(. | ascii_downcase)" }'}}
    """
    And the secret 'key' is:
    """yaml
    hush-hush
    """
    When the workflow is executed
    Then the workflow should fault
    And 'hush-hush' should appear nowhere

  Scenario: A secret in an event is taken out
    Given a workflow that has:
    """yaml
    use: {secrets: [key]}
    do:
    - tell:
        input: {from: $secrets.key}
        emit: {event: {with: {type: com.example.told.v1, data: {key: '${ . }'}}}}
    """
    And the secret 'key' is:
    """yaml
    hush-hush
    """
    And the app has a sink for events
    When the workflow is executed
    Then the workflow should complete
    And the sink should have received the output
    And 'hush-hush' should appear nowhere

  Scenario: A secret in the URL of a response is taken out
    Given a workflow that has:
    """yaml
    use: {secrets: [key]}
    do:
    - ask:
        input: {from: '{key: $secrets.key}'}
        call: http
        with: {method: get, endpoint: 'https://httpbin.org/anything?key={key}', output: response}
        output: {as: .request.uri}
    """
    And the secret 'key' is:
    """yaml
    hush-hush
    """
    When the workflow is executed
    Then the workflow should complete
    And request 1 to 'httpbin.org' should be 'GET /anything?key=hush-hush'
    And 'hush-hush' should appear nowhere

  Scenario: What proved who calls is taken out
    Given a workflow that has:
    """yaml
    use: {secrets: [mine]}
    do:
    - ask:
        call: http
        with: {method: get, endpoint: {uri: 'https://httpbin.org/basic-auth/ada/hush-hush', authentication: {basic: {use: mine}}}}
        output: {as: $authorization.parameter}
    """
    And the secret 'mine' is:
    """yaml
    {username: ada, password: hush-hush}
    """
    When the workflow is executed
    Then the workflow should complete
    And 'YWRhOmh1c2gtaHVzaA==' should appear nowhere

  Scenario: A secret that a service sends back in an error is taken out
    Given a workflow that has:
    """yaml
    use: {secrets: [key]}
    do:
    - attempt:
        try:
        - ask:
            input: {from: '{key: $secrets.key}'}
            call: http
            with: {method: get, endpoint: 'https://httpbin.org/response?type=text/plain&body={key}'}
        - refuse: {raise: {error: {type: '${ "https://example.com/" + . }', status: 400, title: '${ . }', detail: '${ . }'}}}
        catch: {errors: {with: {status: 401}}}
    """
    And the secret 'key' is:
    """yaml
    hush-hush
    """
    When the workflow is executed
    Then the workflow should fault
    And 'hush-hush' should appear nowhere

  Scenario: A secret that the workflow does not list is refused
    Given a workflow that has:
    """yaml
    use: {secrets: [key]}
    do:
    - one: {input: {from: $secrets.other}, set: '${ . }'}
    """
    And the secret 'key' is:
    """yaml
    hush-hush
    """
    And the secret 'other' is:
    """yaml
    other-secret
    """
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/one/input/from' because use.secrets

  Scenario: A secret that the app does not have is refused
    Given a workflow that has:
    """yaml
    use: {secrets: [keys]}
    do:
    - one: {set: {a: 1}}
    """
    And the secret 'key' is:
    """yaml
    hush-hush
    """
    When the workflow is compiled
    Then the workflow should be refused at '/use/secrets/0' because spec.secrets

  Scenario: The other workflow does not see the secrets of the one that runs it
    Given a workflow that has:
    """yaml
    use: {secrets: [key]}
    do:
    - ask: {run: {workflow: {namespace: default, name: other, version: latest}}}
    """
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: other, version: '1.0.0'}
    do:
    - look: {input: {from: '$secrets.key'}, set: '${ . }'}
    """
    And the secret 'key' is:
    """yaml
    hush-hush
    """
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/look/input/from' because use.secrets

  Scenario Outline: Which secret is read has to be plain to see
    Given a workflow that has {use: {secrets: [key]}} and does [{one: {input: {from: '<expression>'}, set: '${ . }'}}]
    And the secret 'key' is:
    """yaml
    hush-hush
    """
    When the workflow is compiled
    Then the workflow should be refused at '/do/0/one/input/from' because name the secret

    Examples:
      | expression               |
      | $secrets[.name]          |
      | $secrets                 |
      | $secrets \| to_entries   |
      | $secrets as $s \| $s.key |

  Scenario: A secret in what a workflow is started with, that is not waited for
    Given a workflow that has:
    """yaml
    use: {secrets: [key]}
    do:
    - start:
        input: {from: '{key: $secrets.key}'}
        run: {workflow: {namespace: default, name: later, version: latest, input: {key: '${ .key }'}}, await: false}
    """
    And another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: later, version: '1.0.0'}
    do:
    - look: {set: '${ . }'}
    """
    And the secret 'key' is:
    """yaml
    hush-hush
    """
    When the workflow is executed
    Then the workflow should complete
    And 'hush-hush' should appear nowhere

  Scenario: A secret that is gone when the run reads it
    Given a workflow that has:
    """yaml
    use: {secrets: [key]}
    do:
    - one: {input: {from: $secrets.key}, set: '${ . }'}
    """
    And the app has a secret 'key' that cannot be read
    When the workflow is executed
    Then the workflow should fault with an error of type 'authorization', status 403, at '/do/0/one'
