package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

const (
	// ringScale is the logarithm of how many calls are queued for a connection.
	ringScale = 9
	// buffer is that of a connection, for each direction. Calls are some hundred bytes.
	buffer = 16 << 10
	// dialTimeout bounds making a connection, with TLS and authentication.
	dialTimeout = 2 * time.Second
	// silence is how long a connection may answer nothing, after a question at its end,
	// before it is given up.
	silence = time.Second
	// topologyInterval is how often Sentinels are asked for the master, and clusters for
	// their slots, although nothing told of a change.
	topologyInterval = 5 * time.Second
)

// probe does what the calls have to be allowed and able to do.
var probe = rueidis.NewLuaScript(`redis.call('GET', KEYS[1])
return redis.call('SET', KEYS[1], redis.call('TIME')[1], 'PX', 1000)`)

// link is the connections that settings lead to.
type link struct {
	client  rueidis.Client
	breaker breaker
	// inUse is held by each call; end takes it for good.
	inUse sync.RWMutex
	// life ends with the link and cuts the connections.
	life context.Context
	cut  context.CancelFunc

	form   v1alpha1.RedisForm
	probes int // only the probing goroutine counts
}

// newLink connects, and returns when a probe was answered.
func newLink(ctx context.Context, s *settings, roots func() *x509.CertPool) (*link, error) {
	l := &link{form: s.url.Form}
	l.life, l.cut = context.WithCancel(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, l.cut)() // until it is made: then end is called
	var err error
	if l.client, err = rueidis.NewClient(l.driver(s, roots)); err == nil {
		asked, cancel := context.WithTimeout(ctx, dialTimeout)
		err = probe.Exec(asked, l.client, l.probeKey(), nil).Error()
		cancel()
	}
	if err != nil {
		l.end()
		return nil, err
	}
	return l, nil
}

// driver are the driver's options. It is told to connect to one server without asking
// whether that is part of a cluster, to send nothing twice, and to keep nothing but one
// connection to each server, over which all calls go in batches.
func (l *link) driver(s *settings, roots func() *x509.CertPool) rueidis.ClientOption {
	u := &s.url
	o := rueidis.ClientOption{
		InitAddress: u.Addresses, Username: u.Username, Password: u.Password, SelectDB: u.DB,
		ForceSingleClient: u.Form == v1alpha1.RedisStandalone,
		DisableCache:      true, DisableRetry: true, AlwaysPipelining: true, PipelineMultiplex: -1,
		RingScaleEachConn: ringScale, ReadBufferEachConn: buffer, WriteBufferEachConn: buffer,
		ClientSetInfo: rueidis.DisableClientSetInfo,
		Dialer:        net.Dialer{Timeout: dialTimeout, KeepAlive: silence}, ConnWriteTimeout: silence,
		DialCtxFn: func(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
			if config == nil {
				return l.dial(ctx, dialer, address)
			}
			config = config.Clone()
			if config.RootCAs = s.authorities; config.RootCAs == nil && roots != nil {
				config.RootCAs = roots()
			}
			return l.dial(ctx, &tls.Dialer{NetDialer: dialer, Config: config}, address)
		},
		ClusterOption: rueidis.ClusterOption{ShardsRefreshInterval: topologyInterval, MaxMovedRedirections: 3},
	}
	if u.TLS {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if u.Form == v1alpha1.RedisSentinel {
		o.Sentinel = rueidis.SentinelOption{
			MasterSet: u.Master, Username: u.SentinelUsername, Password: u.SentinelPassword,
			Dialer: o.Dialer, TLSConfig: o.TLSConfig, TopologyRefreshInterval: topologyInterval,
		}
	}
	return o
}

type dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// dial makes a connection that ends with the link at the latest: the driver would wait
// for what a server that hangs still has to answer.
func (l *link) dial(ctx context.Context, d dialer, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.life, cancel)() //nolint:contextcheck // either ends it
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{Conn: conn, spare: context.AfterFunc(l.life, func() { _ = conn.Close() })}, nil //nolint:contextcheck // it outlives ctx
}

type connection struct {
	net.Conn
	spare func() bool // stops the link from closing it
}

func (c *connection) Close() error {
	c.spare()
	return c.Conn.Close()
}

// probeKey is a key in another slot each time, so that over time all of a cluster is
// asked.
func (l *link) probeKey() []string {
	if l.form != v1alpha1.RedisCluster {
		return []string{"nexus:{probe}"}
	}
	l.probes = (l.probes + 1) % 64
	return []string{"nexus:{probe-" + strconv.Itoa(l.probes) + "}"}
}

type reply struct {
	message rueidis.RedisMessage
	err     error
}

// ask runs a script and calls done when the driver is done with it. In a cluster that may
// be long after the deadline: while one node hangs the others keep the breaker closed, so
// that the driver runs out of room, and it waits for connections that it makes to ask for
// the slots. Hence the driver is left alone with it there, which costs too much to be done
// where the breaker suffices.
func (l *link) ask(ctx context.Context, script *rueidis.Lua, keys, args []string, done func()) (rueidis.RedisMessage, error) {
	if l.form != v1alpha1.RedisCluster {
		defer done()
		return script.Exec(ctx, l.client, keys, args).ToMessage()
	}
	keys, args = slices.Clone(keys), slices.Clone(args) // the caller may use them anew
	replied := make(chan reply, 1)
	go func() {
		defer done()
		message, err := script.Exec(ctx, l.client, keys, args).ToMessage()
		replied <- reply{message, err}
	}()
	select {
	case r := <-replied:
		return r.message, r.err
	case <-ctx.Done():
		return rueidis.RedisMessage{}, ctx.Err()
	}
}

// end waits for the calls that are under way and closes the connections. It cuts them
// first, since the driver would wait for a server that hangs.
func (l *link) end() {
	l.inUse.Lock()
	l.cut()
	if l.client != nil {
		l.client.Close()
	}
}
