package mcp

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestTypeScriptClients runs the official TypeScript clients; what they do stands in
// ts/clients.mjs.
func TestTypeScriptClients(t *testing.T) {
	node := node(t)
	service := lateService(t)
	url, key := startShop(t, service.URL)
	// Only a script that waits for something that never comes takes so long.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	script := exec.CommandContext(ctx, node, "ts/clients.mjs")
	script.Env = append(os.Environ(), "NEXUS_MCP="+url, "NEXUS_TOKEN="+key, "NEXUS="+binary, "SERVICE="+service.URL)
	said, err := script.CombinedOutput()
	fmt.Printf("the official TypeScript clients:\n%s", said)
	if err != nil {
		t.Error(err)
	}
}
