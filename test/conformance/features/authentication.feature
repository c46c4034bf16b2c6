Feature: Authentication
  Every way to prove who calls, against stand-ins that check it.

  Scenario Outline: A policy in the call
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: {uri: 'https://httpbin.org/<path>', authentication: <policy>}}, output: {as: .authenticated}}}]
    And given the workflow input is:
    """yaml
    {user: ada, pass: 'p:ä ss'}
    """
    When the workflow is executed
    Then the workflow should complete with the output true

    Examples:
      | path                                   | policy                                                     |
      | basic-auth/ada/lovelace                | {basic: {username: ada, password: lovelace}}               |
      | basic-auth/ada/p:%C3%A4%20ss           | {basic: {username: '${ .user }', password: '${ .pass }'}}  |
      | bearer                                 | {bearer: {token: '${ .user + "-token" }'}}                 |
      | digest-auth/auth/ada/lovelace/MD5      | {digest: {username: ada, password: lovelace}}              |
      | digest-auth/auth/ada/lovelace/SHA-256  | {digest: {username: '${ .user }', password: lovelace}}     |
      | digest-auth/auth/ada/lovelace/MD5-sess | {digest: {username: ada, password: lovelace}}              |

  Scenario Outline: Credentials that are not right are an error with the service's status
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: {uri: 'https://httpbin.org/<path>', authentication: <policy>}}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'communication', status 401, at '/do/0/ask'
    And 'wrong-one' should appear nowhere

    Examples:
      | path                                  | policy                                             |
      | basic-auth/ada/lovelace               | {basic: {username: ada, password: wrong-one}}      |
      | digest-auth/auth/ada/lovelace/SHA-256 | {digest: {username: ada, password: wrong-one}}     |
      | whoami                                | {bearer: {token: wrong-one}}                       |

  Scenario: A policy of use.authentications by its name
    Given a workflow that has:
    """yaml
    use:
      authentications:
        mine: {basic: {username: '${ .user }', password: lovelace}}
    do:
    - ask:
        call: http
        with: {method: get, endpoint: {uri: 'https://httpbin.org/basic-auth/ada/lovelace', authentication: {use: mine}}}
        output: {as: .user}
    """
    And given the workflow input is:
    """yaml
    user: ada
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ada
    """

  Scenario Outline: A policy whose properties are in a secret
    Given a workflow that has:
    """yaml
    use: {secrets: [mine]}
    do:
    - ask:
        call: http
        with: {method: get, endpoint: {uri: 'https://httpbin.org/<path>', authentication: {<scheme>: {use: mine}}}}
        output: {as: .authenticated}
    """
    And the secret 'mine' is:
    """yaml
    <secret>
    """
    When the workflow is executed
    Then the workflow should complete with the output true
    And 'lovelace-1815' should appear nowhere

    Examples:
      | scheme | path                                       | secret                                                  |
      | basic  | basic-auth/ada/lovelace-1815               | {username: ada, password: lovelace-1815}                |
      | basic  | basic-auth/ada/lovelace-1815               | '{"username": "ada", "password": "lovelace-1815"}'      |
      | digest | digest-auth/auth/ada/lovelace-1815/SHA-256 | {username: ada, password: lovelace-1815}                |
      | bearer | bearer                                     | lovelace-1815                                           |
      | bearer | bearer                                     | {token: lovelace-1815}                                  |

  Scenario Outline: OAuth 2, with each way for the client to prove who it is
    Given a workflow that has:
    """yaml
    use: {secrets: [client]}
    do:
    - ask:
        input: {from: '. + {secret: $secrets.client}'}
        call: http
        with:
          method: get
          endpoint:
            uri: https://httpbin.org/whoami
            authentication:
              oauth2:
                authority: https://id.example.com
                grant: client_credentials
                client: <client>
                scopes: [orders, 'stock:read']
                audiences: [https://httpbin.org, second]
    """
    And the secret 'client' is:
    """yaml
    'open: sesame & 100%'
    """
    And given the workflow input is:
    """yaml
    {}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {client: shop, authentication: <way>, encoding: application/x-www-form-urlencoded, scopes: [orders, 'stock:read'], audiences: [https://httpbin.org, second]}
    """
    And request 1 to 'id.example.com' should be 'POST /oauth2/token'
    And 'sesame' should appear nowhere
    And 'token-1' should appear nowhere

    Examples:
      | client                                                                       | way                  |
      | {id: shop, secret: '${ .secret }'}                                           | client_secret_post   |
      | {id: shop, secret: '${ .secret }', authentication: client_secret_post}       | client_secret_post   |
      | {id: shop, secret: '${ .secret }', authentication: client_secret_basic}      | client_secret_basic  |
      | {id: shop, secret: '${ .secret }', authentication: client_secret_jwt}        | client_secret_jwt    |
      | {id: shop, assertion: header.claims.signature, authentication: private_key_jwt} | private_key_jwt   |
      | {id: public, authentication: none}                                           | none                 |

  Scenario: OAuth 2, with a path and an encoding of its own
    Given a workflow that has:
    """yaml
    do:
    - ask:
        call: http
        with:
          method: get
          endpoint:
            uri: https://httpbin.org/whoami
            authentication:
              oauth2:
                authority: https://id.example.com
                endpoints: {token: /custom/token}
                grant: client_credentials
                request: {encoding: application/json}
                client: {id: shop, secret: 'open: sesame & 100%'}
        output: {as: .encoding}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    application/json
    """
    And request 1 to 'id.example.com' should be 'POST /custom/token'

  Scenario: OpenID Connect finds the token endpoint by discovery
    Given a workflow that has:
    """yaml
    use:
      secrets: [realm]
    do:
    - ask:
        call: http
        with:
          method: get
          endpoint: {uri: 'https://httpbin.org/whoami', authentication: {oidc: {use: realm}}}
        output: {as: .scopes}
    """
    And the secret 'realm' is:
    """yaml
    authority: https://id.example.com/realms/shop
    grant: client_credentials
    client.id: shop
    client.secret: 'open: sesame & 100%'
    scopes: orders stock
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [orders, stock]
    """
    And request 1 to 'id.example.com' should be 'GET /realms/shop/.well-known/openid-configuration'
    And request 2 to 'id.example.com' should be 'POST /realms/shop/connect/token'

  Scenario Outline: OpenID Connect, with the authority in each of its forms
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: {uri: 'https://httpbin.org/whoami', authentication: {oidc: {authority: '<authority>', grant: client_credentials, client: {id: public, authentication: none}}}}}, output: {as: .client}}}]
    When the workflow is executed
    Then the workflow should complete with the output shop

    Examples:
      | authority                                                            |
      | https://id.example.com/realms/shop                                   |
      | https://id.example.com/realms/shop/                                  |
      | https://id.example.com/realms/shop/.well-known/openid-configuration  |

  Scenario: An authority that names another issuer is not trusted
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: {uri: 'https://httpbin.org/whoami', authentication: {oidc: {authority: 'https://id.example.com/realms/liar', grant: client_credentials, client: {id: public, authentication: none}}}}}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'authentication', status 401, at '/do/0/ask'
    And 'httpbin.org' should have received 0 requests

  Scenario: An authority that refuses the client is an authentication error that tells only its code
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: {uri: 'https://httpbin.org/whoami', authentication: {oauth2: {authority: 'https://id.example.com', grant: client_credentials, client: {id: shop, secret: wrong-one}}}}}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'authentication', status 401, at '/do/0/ask'
    And the error detail should mention 'invalid_client'
    And 'ldap-3' should appear nowhere
    And 'wrong-one' should appear nowhere
    And 'httpbin.org' should have received 0 requests

  Scenario: A token is asked for once
    Given a workflow that has:
    """yaml
    use:
      authentications:
        shop: {oauth2: {authority: 'https://id.example.com', grant: client_credentials, client: {id: public, authentication: none}}}
    do:
    - loop:
        for: {in: '[1, 2, 3]'}
        do:
        - ask: {call: http, with: {method: get, endpoint: {uri: 'https://httpbin.org/whoami', authentication: {use: shop}}}}
    """
    When the workflow is executed
    Then the workflow should complete
    And 'id.example.com' should have received 1 request
    And 'httpbin.org' should have received 3 requests

  Scenario: A header Authorization beside a policy is an error
    Given a workflow that does [{ask: {call: http, with: {method: get, headers: {Authorization: mine}, endpoint: {uri: 'https://httpbin.org/bearer', authentication: {bearer: {token: abc}}}}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'configuration', status 400, at '/do/0/ask'

  Scenario: A policy without what it needs, found out by running
    Given a workflow that does [{ask: {call: http, with: {method: get, endpoint: {uri: 'https://httpbin.org/bearer', authentication: {bearer: {token: '${ .missing }'}}}}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'configuration', status 400, at '/do/0/ask'
    And 'httpbin.org' should have received 0 requests

  Scenario: Digest credentials go with a body too
    Given a workflow that does [{ask: {call: http, with: {method: post, body: {a: 1}, endpoint: {uri: 'https://httpbin.org/digest-auth/auth/ada/lovelace/SHA-256', authentication: {digest: {username: ada, password: lovelace}}}}, output: {as: .authenticated}}}]
    When the workflow is executed
    Then the workflow should complete with the output true
    And request 1 to 'httpbin.org' should not have the header 'Authorization'
    And request 2 to 'httpbin.org' should have the body '{"a":1}'
