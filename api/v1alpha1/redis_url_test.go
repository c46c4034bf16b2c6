package v1alpha1

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseRedisURL(t *testing.T) {
	for text, want := range map[string]RedisURL{
		"redis://redis":                      {Form: RedisStandalone, Addresses: []string{"redis:6379"}},
		"redis://redis:6380/2\n":             {Form: RedisStandalone, Addresses: []string{"redis:6380"}, DB: 2},
		"rediss://app:p%40ss@redis.shop.svc": {Form: RedisStandalone, TLS: true, Addresses: []string{"redis.shop.svc:6379"}, Username: "app", Password: "p@ss"},
		"redis://:p:a@s@[2001:db8::1]:7000/": {Form: RedisStandalone, Addresses: []string{"[2001:db8::1]:7000"}, Password: "p:a@s"},
		"redis+sentinel://u:p@a,b:1/main/3":  {Form: RedisSentinel, Addresses: []string{"a:26379", "b:1"}, Username: "u", Password: "p", Master: "main", DB: 3},
		"rediss+sentinel://a/m?sentinel_username=s&sentinel_password=q%26": {Form: RedisSentinel, TLS: true, Addresses: []string{"a:26379"}, Master: "m",
			SentinelUsername: "s", SentinelPassword: "q&"},
		"redis+cluster://a:7000,b:7001,c/0": {Form: RedisCluster, Addresses: []string{"a:7000", "b:7001", "c:6379"}},
	} {
		if got, err := ParseRedisURL([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", text, got, err, want)
		}
	}
	const secret = "hunter2"
	for _, text := range []string{
		"", secret, "http://x:hunter2@h", "redis:/x", "redis://", "redis://u:hunter2@", "redis://u:hunter2@:6379", "redis://hunter2@h",
		"redis://u:hunter2%zz@h", "redis://u:hunter2@h:0", "redis://u:hunter2@h:65536", "redis://u:hunter2@h:port", "redis://u:hunter2@a,b",
		"redis://u:hunter2@h/x", "redis://u:hunter2@h/-1", "redis://u:hunter2@h/99999", "redis://u:hunter2@h/0/1", "redis://u:hunter2@h?a=1",
		"redis+sentinel://u:hunter2@h", "redis+sentinel://u:hunter2@h/m?db=1", "redis+sentinel://u:hunter2@h/m?%zz", "redis+cluster://u:hunter2@h/1",
	} {
		_, err := ParseRedisURL([]byte(text))
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRedisURLTellsNoSecret(t *testing.T) {
	u, err := ParseRedisURL([]byte("redis+sentinel://user:hunter2@one.example.com,two.example.com:27000,three.example.com/main"))
	if err != nil {
		t.Fatal(err)
	}
	if text := u.String(); text != "Sentinel, plaintext, 3 address(es)" {
		t.Errorf("described as %q", text)
	}
	if ports := u.Ports(); !slices.Equal(ports, []uint16{26379, 27000, 6379}) {
		t.Errorf("ports %v", ports)
	}
}

func FuzzParseRedisURL(f *testing.F) {
	for _, seed := range []string{"redis://u:p@h:1/2", "rediss+sentinel://a,b/m?sentinel_password=x", "redis+cluster://[::1]:7000", "redis://%@,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseRedisURL([]byte(text))
		if err == nil && (len(u.Addresses) == 0 || len(u.Ports()) == 0 || u.DB < 0 || u.Form == RedisSentinel && u.Master == "") {
			t.Errorf("%q is taken as %+v", text, u)
		}
	})
}
