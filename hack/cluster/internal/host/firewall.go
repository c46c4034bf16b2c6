package host

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/layout"
)

const (
	inputChain   = "NEXUS-CLUSTER-IN"
	forwardChain = "NEXUS-CLUSTER-FWD"
	natChain     = "NEXUS-CLUSTER-MASQ"
)

// chainPrefixes are the names of the chains that kube-proxy, the portmap plugin and this program make.
var chainPrefixes = []string{"KUBE-", "CNI-HOSTPORT-", "CNI-DN-", "CNI-SN-", "NEXUS-CLUSTER-"}

// families are the two firewalls: kube-proxy writes to both where the kernel has both.
var families = []string{"iptables", "ip6tables"}

// EnsureRules lets pod traffic through a firewall that forwards nothing by default (Docker's, ufw's), and hides pod
// addresses from the outside, which has no route to them.
func EnsureRules(ctx context.Context) error {
	rules := fmt.Sprintf(`*filter
:%[1]s - [0:0]
-A %[1]s -s %[4]s -d %[5]s/32 -j ACCEPT
:%[2]s - [0:0]
-A %[2]s -s %[4]s -j ACCEPT
-A %[2]s -d %[4]s -j ACCEPT
COMMIT
*nat
:%[3]s - [0:0]
-A %[3]s -s %[4]s ! -d %[4]s -j MASQUERADE
COMMIT
`, inputChain, forwardChain, natChain, layout.Block, layout.NodeIP)
	if _, err := run(ctx, rules, "iptables-restore", "--noflush", "--wait"); err != nil {
		return err
	}
	for _, jump := range [][]string{
		{"filter", "INPUT", inputChain}, {"filter", "FORWARD", forwardChain}, {"nat", "POSTROUTING", natChain},
	} {
		table, from, to := jump[0], jump[1], jump[2]
		if _, err := run(ctx, "", "iptables", "-w", "-t", table, "-C", from, "-j", to); err == nil {
			continue
		}
		if _, err := run(ctx, "", "iptables", "-w", "-t", table, "-I", from, "-j", to); err != nil {
			return err
		}
	}
	return nil
}

// Chains lists the chains of kube-proxy and its like that exist, each as "family table chain".
func Chains(ctx context.Context) ([]string, error) {
	var chains []string
	for _, family := range families {
		dump, err := save(ctx, family)
		if err != nil {
			return nil, err
		}
		for _, t := range parseTables(dump) {
			for _, chain := range t.chains {
				if isOurs(chain) {
					chains = append(chains, strings.Join([]string{family, t.name, chain}, " "))
				}
			}
		}
	}
	return chains, nil
}

// RemoveRules removes those chains, and every rule that leads into them, except the ones in keep: they were there before
// the cluster.
func RemoveRules(ctx context.Context, keep []string) error {
	for _, family := range families {
		dump, err := save(ctx, family)
		if err != nil {
			return err
		}
		script := removal(parseTables(dump), func(table, chain string) bool {
			return isOurs(chain) && !slices.Contains(keep, strings.Join([]string{family, table, chain}, " "))
		})
		if script == "" {
			continue
		}
		if _, err := run(ctx, script, family+"-restore", "--noflush", "--wait"); err != nil {
			return err
		}
	}
	return nil
}

// save dumps a firewall; a machine without the tool or without that family in its kernel has an empty one.
func save(ctx context.Context, family string) (string, error) {
	if !hasProgram(family + "-save") {
		return "", nil
	}
	dump, err := run(ctx, "", family+"-save")
	if err != nil && family == "ip6tables" {
		return "", nil
	}
	return dump, err
}

func isOurs(chain string) bool {
	return slices.ContainsFunc(chainPrefixes, func(p string) bool { return strings.HasPrefix(chain, p) })
}

// table is one table of an iptables-save dump.
type table struct {
	name   string
	chains []string
	rules  []string // as printed, each beginning with "-A CHAIN "
}

func parseTables(dump string) []table {
	var tables []table
	for line := range strings.Lines(dump) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "*"):
			tables = append(tables, table{name: line[1:]})
		case len(tables) == 0:
		case strings.HasPrefix(line, ":"):
			name, _, _ := strings.Cut(line[1:], " ")
			tables[len(tables)-1].chains = append(tables[len(tables)-1].chains, name)
		case strings.HasPrefix(line, "-A "):
			tables[len(tables)-1].rules = append(tables[len(tables)-1].rules, line)
		}
	}
	return tables
}

// removal writes the iptables-restore script that removes the chains for which doomed holds. Rules that lead into them
// from other chains go first: a chain in use cannot be deleted.
func removal(tables []table, doomed func(table, chain string) bool) string {
	var script strings.Builder
	for _, t := range tables {
		var jumps, flushes, deletes []string
		for _, chain := range t.chains {
			if doomed(t.name, chain) {
				flushes = append(flushes, "-F "+chain)
				deletes = append(deletes, "-X "+chain)
			}
		}
		for _, rule := range t.rules {
			from, target := endpoints(rule)
			if !doomed(t.name, from) && target != "" && doomed(t.name, target) {
				jumps = append(jumps, "-D"+strings.TrimPrefix(rule, "-A"))
			}
		}
		if len(flushes) == 0 {
			continue
		}
		lines := slices.Concat([]string{"*" + t.name}, jumps, flushes, deletes, []string{"COMMIT"})
		script.WriteString(strings.Join(lines, "\n") + "\n")
	}
	return script.String()
}

// endpoints reads the chain that a rule is in and the one it leads to.
func endpoints(rule string) (from, target string) {
	fields := strings.Fields(rule)
	if len(fields) > 1 {
		from = fields[1]
	}
	for i, field := range fields[:max(len(fields)-1, 0)] {
		if field == "-j" || field == "-g" {
			target = fields[i+1]
		}
	}
	return from, target
}
