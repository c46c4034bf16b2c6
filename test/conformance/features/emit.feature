Feature: Emit
  Events, delivered where the app has a sink.

  Scenario: What the author leaves out is filled in
    Given a workflow that has:
    """yaml
    do:
    - tell:
        emit:
          event:
            with: {type: com.example.order.placed.v1, data: {id: '${ .id }'}}
    """
    And given the workflow input is:
    """yaml
    id: 7
    """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have properties 'id', 'source', 'specversion', 'type', 'time', 'data'
    And the workflow output should have a 'specversion' property with value:
    """yaml
    '1.0'
    """
    And the workflow output should have a 'time' property with value:
    """yaml
    '2030-01-02T03:04:05Z'
    """
    And the workflow output should have a 'data' property with value:
    """yaml
    id: 7
    """

  Scenario: What the author says counts
    Given a workflow that has:
    """yaml
    do:
    - tell:
        emit:
          event:
            with:
              id: ${ "order-\(.id)" }
              source: ${ "https://example.com/shops/\(.shop)" }
              type: com.example.order.placed.v1
              time: '2031-01-01T00:00:00Z'
              subject: ${ .shop }
              datacontenttype: application/json
              dataschema: https://example.com/schemas/order
              data: ${ . }
              region: eu
    """
    And given the workflow input is:
    """yaml
    {id: 7, shop: bonn}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    specversion: '1.0'
    id: order-7
    source: https://example.com/shops/bonn
    type: com.example.order.placed.v1
    time: '2031-01-01T00:00:00Z'
    subject: bonn
    datacontenttype: application/json
    dataschema: https://example.com/schemas/order
    data: {id: 7, shop: bonn}
    region: eu
    """

  Scenario: The sink gets the event that is the output
    Given a workflow that has:
    """yaml
    do:
    - tell: {emit: {event: {with: {type: com.example.told.v1, data: [1, 2.5, text]}}}}
    """
    And the app has a sink for events
    When the workflow is executed
    Then the workflow should complete
    And the sink should have received the output

  Scenario: Without a sink nothing is delivered
    Given a workflow that has:
    """yaml
    do:
    - tell: {emit: {event: {with: {type: com.example.told.v1}}}}
    """
    When the workflow is executed
    Then the workflow should complete
    And the sink should have received 0 events

  Scenario: An event that is not taken is an error that can be tried again
    Given a workflow that has:
    """yaml
    do:
    - attempt:
        try:
        - tell: {emit: {event: {with: {type: com.example.told.v1}}}}
        catch:
          errors: {with: {type: 'https://open-workflow-specification.org/spec/1.0.0/errors/communication'}}
          retry: {delay: PT1S, limit: {attempt: {count: 2}}}
    """
    And the app has a sink for events
    And '/events' answers with 503
    When the workflow is executed
    Then the workflow should complete
    And tell should run 2 times
    And the sink should have received 1 event

  Scenario: An event in a loop has an id of its own each time
    Given a workflow that has:
    """yaml
    do:
    - loop:
        for: {in: '[1, 2, 3]'}
        do:
        - tell:
            emit: {event: {with: {type: com.example.told.v1}}}
            export: {as: '($context | if type == "array" then . else [] end) + [$output.id]'}
    - count: {set: '${ $context | unique | length }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    3
    """

  Scenario: A type that is no text is an error
    Given a workflow that does [{tell: {emit: {event: {with: {type: '${ 1 }'}}}}}]
    When the workflow is executed
    Then the workflow should fault with an error of type 'expression', status 400, at '/do/0/tell'
