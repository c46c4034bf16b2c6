package v1alpha1

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// RedisURL is the value that spec.redis.urlSecretRef names, taken apart.
//
// +kubebuilder:object:generate=false
type RedisURL struct {
	// Form is how the addresses lead to a master.
	Form RedisForm
	// TLS says whether connections are encrypted.
	TLS bool
	// Addresses are host:port: of the server, of the Sentinels, or of some nodes of the
	// cluster.
	Addresses []string
	// Username and Password are those of the servers; empty for none.
	Username, Password string
	// Master is the name by which Sentinels know it.
	Master string
	// SentinelUsername and SentinelPassword are those of the Sentinels; empty for none.
	SentinelUsername, SentinelPassword string
	// DB is the database's number.
	DB int
}

// RedisForm is how a Redis is deployed.
//
// +kubebuilder:object:generate=false
type RedisForm string

// The forms of deployment.
const (
	RedisStandalone RedisForm = "Standalone"
	RedisSentinel   RedisForm = "Sentinel"
	RedisCluster    RedisForm = "Cluster"
)

var redisSchemes = map[string]RedisURL{
	"redis":           {Form: RedisStandalone},
	"rediss":          {Form: RedisStandalone, TLS: true},
	"redis+sentinel":  {Form: RedisSentinel},
	"rediss+sentinel": {Form: RedisSentinel, TLS: true},
	"redis+cluster":   {Form: RedisCluster},
	"rediss+cluster":  {Form: RedisCluster, TLS: true},
}

// ParseRedisURL reads a Redis URL in one of the forms that Redis.URLSecretRef describes.
// With Sentinels, the query may hold sentinel_username and sentinel_password. Errors
// say what to write and never hold any part of the value.
func ParseRedisURL(value []byte) (RedisURL, error) {
	text := strings.TrimSpace(string(value))
	scheme, rest, found := strings.Cut(text, "://")
	out, known := redisSchemes[scheme]
	if !found || !known {
		return RedisURL{}, errors.New("not a Redis URL: write redis://USER:PASSWORD@HOST:PORT, or with rediss, redis+sentinel, rediss+sentinel, redis+cluster or rediss+cluster")
	}
	rest, query, _ := strings.Cut(rest, "?")
	rest, path, _ := strings.Cut(rest, "/")
	credentials, hosts := "", rest
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		credentials, hosts = rest[:at], rest[at+1:]
	}
	var err error
	if out.Username, out.Password, err = userinfo(credentials); err != nil {
		return RedisURL{}, err
	}
	if out.Addresses, err = addresses(hosts, out.Form); err != nil {
		return RedisURL{}, err
	}
	if err := out.parsePath(path); err != nil {
		return RedisURL{}, err
	}
	return out, out.parseQuery(query)
}

func userinfo(text string) (user, password string, err error) {
	user, password, hasPassword := strings.Cut(text, ":")
	if user, err = url.PathUnescape(user); err == nil {
		password, err = url.PathUnescape(password)
	}
	if err != nil {
		return "", "", errors.New("user or password is not escaped as in URLs: write % as %25, @ as %40, / as %2F and ? as %3F")
	}
	if user != "" && !hasPassword {
		return "", "", errors.New("there is a user and no password: write USER:PASSWORD@, or :PASSWORD@ for the default user")
	}
	return user, password, nil
}

func addresses(text string, form RedisForm) ([]string, error) {
	port := "6379"
	if form == RedisSentinel {
		port = "26379"
	}
	var out []string
	for host := range strings.SplitSeq(text, ",") {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		name, number, err := net.SplitHostPort(host)
		if n, numberErr := strconv.ParseUint(number, 10, 16); err != nil || name == "" || numberErr != nil || n == 0 {
			return nil, errors.New("a host is missing or its port is no number from 1 to 65535: write HOST:PORT, and a / or ? within the password as %2F or %3F")
		}
		out = append(out, host)
	}
	if form == RedisStandalone && len(out) > 1 {
		return nil, errors.New("several hosts are those of Sentinels or of a cluster: write redis+sentinel:// or redis+cluster://")
	}
	return out, nil
}

func (u *RedisURL) parsePath(path string) error {
	if u.Form == RedisSentinel {
		u.Master, path, _ = strings.Cut(path, "/")
		if u.Master == "" {
			return errors.New("the Sentinels' name of the master is missing: write redis+sentinel://HOST:PORT/MASTER")
		}
	}
	if path == "" {
		return nil
	}
	const databases = 1 << 14
	db, err := strconv.Atoi(path)
	switch {
	case err != nil || db < 0 || db >= databases:
		return errors.New("what follows the host is the number of the database: write for example /0, or nothing, and a / or ? within the password as %2F or %3F")
	case u.Form == RedisCluster && db != 0:
		return errors.New("a cluster has only database 0: remove the number")
	}
	u.DB = db
	return nil
}

func (u *RedisURL) parseQuery(text string) error {
	query, err := url.ParseQuery(text)
	if err != nil {
		return errors.New("what follows the question mark is not escaped as in URLs")
	}
	for name := range query {
		if u.Form != RedisSentinel || name != "sentinel_username" && name != "sentinel_password" {
			return errors.New("what follows the question mark is not known: only sentinel_username and sentinel_password are, with Sentinels")
		}
	}
	u.SentinelUsername, u.SentinelPassword = query.Get("sentinel_username"), query.Get("sentinel_password")
	return nil
}

// Ports are the ports that the pods have to reach, each once. Masters behind Sentinels
// are taken to listen on Redis's own port.
func (u *RedisURL) Ports() []uint16 {
	var out []uint16
	seen := map[uint16]bool{}
	add := func(port uint16) {
		if !seen[port] {
			seen[port] = true
			out = append(out, port)
		}
	}
	for _, address := range u.Addresses {
		_, text, _ := net.SplitHostPort(address)
		port, _ := strconv.ParseUint(text, 10, 16) // checked by ParseRedisURL
		add(uint16(port))
	}
	if u.Form == RedisSentinel {
		add(6379)
	}
	return out
}

// String describes the connection without its secrets and hosts, for logs.
func (u RedisURL) String() string {
	encrypted := "plaintext"
	if u.TLS {
		encrypted = "TLS"
	}
	return fmt.Sprintf("%s, %s, %d address(es)", u.Form, encrypted, len(u.Addresses))
}
