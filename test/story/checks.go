package story

// Checks are the lines of the story, in the order in which they are told.
func Checks() []Check {
	return []Check{
		{"the namespace enforces Pod Security restricted", checkRestricted},
		{"pods run non-root", checkNonRoot},
		{"the root filesystem is read-only", checkReadOnly},
		{"no API token is mounted", checkNoToken},
		{"kubectl get nexusapps shows the columns", checkColumns},
		{"a workflow answers with the key", checkServes},
		{"a route of the workflow answers", checkRoute},
		{"401 without a key and with a wrong one", checkUnauthenticated},
		{"403 without the role", checkForbidden},
		{"dangerous inputs are refused", checkInputRules},
		{"inputs are checked against the schema", checkSchema},
		{"the body cap holds to the byte", checkBodyCap},
		{"an unknown workflow is not found", checkUnknownWorkflow},
		{"/health needs no key", checkHealth},
		{"every check of the security posture passes", checkPosture},
		{"Redis is ready, over TLS", checkRedisReady},
		{"the rate limit holds over all pods, to the request", checkRateLimit},
		{"a patched limit is enforced and no request fails", checkPatchedLimit},
		{"a rotated key stops working within 90 s", checkRotation},
		{"without Redis every pod goes on by itself", checkRedisOutage},
		{"Redis's password is rotated and no request fails", checkRedisRotation},
		{"pods of front may call back, others not", checkPodToPod},
		{"a workflow calls services, an MCP server and a sink", checkCallsOthers},
		{"an asynchronous run is found on every pod", checkAsync},
		{"a call with an Idempotency-Key is made once", checkIdempotency},
		{"what is outside of egress and of the profile is refused", checkEgress},
		{"a hand edit of the Deployment is put back", checkDrift},
		{"a misspelt field is refused", checkMisspelt},
	}
}
