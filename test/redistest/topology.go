package redistest

import (
	"net/url"
	"strings"
	"testing"
)

// Topology says how several servers are to run.
type Topology struct {
	// TLS makes all of them speak nothing but TLS, among each other too, with certificates
	// of one authority.
	TLS bool
	// Users are those of the servers of data, as in Options, with the same passwords on
	// all of them.
	Users map[string]string
}

// options are those of a server of the topology that take further lines of redis.conf.
func (t Topology) options(tb testing.TB) func(config ...string) Options {
	tb.Helper()
	o := Options{TLS: t.TLS, Users: t.Users}
	if t.TLS {
		o.authority = newAuthority(tb)
	}
	return func(config ...string) Options {
		o.Config = config
		return o
	}
}

// Sentinel is a master and a replica that a Sentinel watches under the name main.
type Sentinel struct {
	Master, Replica, Sentinel *Server
}

// StartSentinel runs the three until the test ends.
func StartSentinel(tb testing.TB, t Topology) *Sentinel {
	tb.Helper()
	options := t.options(tb)
	master := Start(tb, options())
	secret := master.passwords["default"][0]
	replica := Start(tb, options("replicaof 127.0.0.1 "+master.port, "masterauth "+secret, "repl-ping-replica-period 1"))
	replica.adopt(master.passwords)
	watch := options(
		"sentinel monitor main 127.0.0.1 "+master.port+" 1",
		"sentinel auth-pass main "+secret,
		"sentinel down-after-milliseconds main 500",
		"sentinel failover-timeout main 5000",
	)
	watch.Args, watch.Users = []string{"--sentinel"}, nil
	sentinel := Start(tb, watch)
	s := &Sentinel{Master: master, Replica: replica, Sentinel: sentinel}
	sentinel.Await("the Sentinel knows the replica", func() bool {
		known, err := sentinel.command("SENTINEL", "REPLICAS", "main")
		return err == nil && strings.Contains(known, "master-link-status:ok")
	})
	return s
}

// adopt takes over the passwords of another server.
func (s *Server) adopt(passwords map[string][]string) {
	s.t.Helper()
	for user, p := range passwords {
		if user != "default" {
			s.SetPassword(user, p...)
		}
	}
	s.SetPassword("default", passwords["default"]...)
}

// URL is the URL with which a user, default if empty, connects.
func (s *Sentinel) URL(user string) string {
	own := s.Sentinel.passwords["default"][0]
	return (&url.URL{
		Scheme: s.Sentinel.scheme() + "+sentinel", User: s.Master.userinfo(user), Host: s.Sentinel.Addr(), Path: "/main",
		RawQuery: url.Values{"sentinel_username": {"default"}, "sentinel_password": {own}}.Encode(),
	}).String()
}

// CA is the PEM certificate of the authority that issued those of all servers.
func (s *Sentinel) CA() []byte { return s.Sentinel.CA() }

// AwaitFailover waits until the Sentinel names the replica as the master.
func (s *Sentinel) AwaitFailover() {
	s.Sentinel.t.Helper()
	s.Sentinel.Await("the replica became the master", func() bool {
		named, err := s.Sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")
		role, roleErr := s.Replica.command("ROLE")
		return err == nil && roleErr == nil && strings.HasSuffix(named, "\n"+s.Replica.port) && strings.HasPrefix(role, "master")
	})
}

// Cluster is three masters that share the slots.
type Cluster struct {
	Nodes []*Server
}

// StartCluster runs a cluster until the test ends.
func StartCluster(tb testing.TB, t Topology) *Cluster {
	tb.Helper()
	options := t.options(tb)
	c := &Cluster{}
	ranges := [][2]string{{"0", "5460"}, {"5461", "10922"}, {"10923", "16383"}}
	for _, slots := range ranges {
		bus := freePort(tb)
		node := Start(tb, options("cluster-enabled yes", "cluster-node-timeout 2000", "cluster-port "+bus))
		node.Command("CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1])
		if len(c.Nodes) == 0 {
			c.Nodes = append(c.Nodes, node)
			continue
		}
		first := c.Nodes[0]
		node.adopt(first.passwords)
		first.Command("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
		c.Nodes = append(c.Nodes, node)
	}
	for _, node := range c.Nodes {
		node.Await("the cluster is complete", func() bool {
			info, err := node.command("CLUSTER", "INFO")
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3") &&
				strings.Contains(info, "cluster_size:3")
		})
	}
	return c
}

// URL is the URL with which a user, default if empty, connects.
func (c *Cluster) URL(user string) string {
	hosts := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		hosts[i] = node.Addr()
	}
	return (&url.URL{Scheme: c.Nodes[0].scheme() + "+cluster", User: c.Nodes[0].userinfo(user), Host: strings.Join(hosts, ",")}).String()
}

// CA is the PEM certificate of the authority that issued those of all servers.
func (c *Cluster) CA() []byte { return c.Nodes[0].CA() }
