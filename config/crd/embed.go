// Package crd embeds the generated CustomResourceDefinition, so that the command
// line can check a manifest against exactly the schema that the API server uses.
package crd

import _ "embed"

// NexusApps is the CustomResourceDefinition of NexusApp, in YAML.
//
//go:embed bases/nexus.dev_nexusapps.yaml
var NexusApps []byte
