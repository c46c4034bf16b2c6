package refs

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

func pemOf(t *testing.T, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func certificate(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return pemOf(t, "CERTIFICATE", der, err)
}

// Every kind of entry, right and wrong: what is wrong is told with the field, the Secret,
// the entry and the fix, and without the value.
func TestCheckEntries(t *testing.T) {
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	// Too short to be made by the standard library, and never used to sign.
	short := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkix := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		return pemOf(t, "PUBLIC KEY", der, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(long)
	privatePEM := pemOf(t, "PRIVATE KEY", private, err)
	b64 := base64.RawURLEncoding.EncodeToString
	jwkRSA := func(n *big.Int, more string) string {
		return fmt.Sprintf(`{"keys":[{"kty":"RSA","n":%q,"e":"AQAB"%s}]}`, b64(n.Bytes()), more)
	}
	const tell = "do-not-tell"
	oct := func(secret string) string {
		return fmt.Sprintf(`{"keys":[{"kty":"oct","k":%q}]}`, b64([]byte(secret)))
	}
	point, err := curve.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jwkEC := fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","x":%q,"y":%q}]}`, b64(point[1:33]), b64(point[33:]))
	ca := certificate(t, curve)
	for name, c := range map[string]struct {
		use   Use
		value string
		// problem is what the message must say; empty when the entry can be used.
		problem string
	}{
		"PKIX RSA":              {PublicKeys, pkix(&long.PublicKey), ""},
		"PKCS 1":                {PublicKeys, pemOf(t, "RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&long.PublicKey), nil), ""},
		"PKIX EC":               {PublicKeys, pkix(&curve.PublicKey), ""},
		"PKIX Ed25519":          {PublicKeys, pkix(edwards), ""},
		"a certificate":         {PublicKeys, ca, ""},
		"one of two":            {PublicKeys, pkix(short) + pkix(&long.PublicKey), ""},
		"a JWK set":             {PublicKeys, jwkRSA(long.N, ""), ""},
		"a JWK set of EC":       {PublicKeys, jwkEC, ""},
		"a JWK set of Ed25519":  {PublicKeys, fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":%q}]}`, b64(edwards)), ""},
		"an unknown key beside": {PublicKeys, strings.Replace(jwkRSA(long.N, ""), `[`, `["what",{"kty":"new"},`, 1), ""},

		"no key":                  {PublicKeys, tell, "neither PEM nor a JWK set: put the issuer's public keys there"},
		"empty":                   {PublicKeys, "", "neither PEM nor a JWK set"},
		"short RSA":               {PublicKeys, pkix(short), "must have 2048 to 8192 bits, this one has 1024"},
		"a small curve":           {PublicKeys, pkix(&small.PublicKey), "RSA, EC (P-256, P-384, P-521) or Ed25519"},
		"a private key":           {PublicKeys, privatePEM, "openssl pkey -pubout"},
		"a broken block":          {PublicKeys, pemOf(t, "PUBLIC KEY", []byte(tell), nil), "cannot be parsed: copy the public key again"},
		"another block":           {PublicKeys, pemOf(t, "MESSAGE", []byte(tell), nil), `it must be a "PUBLIC KEY", an "RSA PUBLIC KEY" or a "CERTIFICATE"`},
		"a private JWK":           {PublicKeys, jwkRSA(long.N, `,"d":"`+tell+`"`), "private key"},
		"a short RSA JWK":         {PublicKeys, jwkRSA(short.N, ""), "this one has 1024"},
		"a secret JWK":            {PublicKeys, oct(strings.Repeat(tell, 9)), "use hmacSecretRef"},
		"an EC JWK without y":     {PublicKeys, `{"keys":[{"kty":"EC","crv":"P-256","x":"eA"}]}`, "y must be base64url without padding, and not empty"},
		"an EC JWK off its curve": {PublicKeys, `{"keys":[{"kty":"EC","crv":"P-256","x":"eA","y":"eQ"}]}`, "no point of the curve P-256"},
		"an unknown curve":        {PublicKeys, `{"keys":[{"kty":"EC","crv":"secp256k1","x":"eA","y":"eA"}]}`, "P-256, P-384 or P-521"},
		"a set for encryption":    {PublicKeys, jwkRSA(long.N, `,"use":"enc"`), "holds no key that can be used"},
		"an empty set":            {PublicKeys, `{"keys":[]}`, "holds no key that can be used: add one"},
		"no set":                  {PublicKeys, `{"kty":"RSA","n":"` + tell + `"}`, `{"keys": [...]}`},
		"broken JSON":             {PublicKeys, `{"keys": ["` + tell, `{"keys": [...]}`},

		"a secret of 32 bytes":  {HMACKeys, strings.Repeat("s", 32), ""},
		"with a line feed":      {HMACKeys, strings.Repeat("s", 32) + "\n", ""},
		"a set of secrets":      {HMACKeys, oct(strings.Repeat("s", 32)), ""},
		"random bytes":          {HMACKeys, "{\xff" + strings.Repeat("\xfe", 40), ""},
		"a secret of 31 bytes":  {HMACKeys, tell + strings.Repeat("s", 20), "at least 32 bytes, whatever the algorithm: make one with 'openssl rand -base64 48'"},
		"31 and a line feed":    {HMACKeys, tell + strings.Repeat("s", 20) + "\n", "at least 32 bytes"},
		"a short secret in JWK": {HMACKeys, oct(tell), "key 1 of the set is not used: an HMAC secret must have at least 32 bytes"},
		"a public key in JWK":   {HMACKeys, jwkRSA(long.N, ""), "use publicKeySecretRef"},
		"a public key in PEM":   {HMACKeys, pkix(&long.PublicKey), "use publicKeySecretRef"},
		"padded":                {HMACKeys, `{"keys":[{"kty":"oct","k":"` + tell + `=="}]}`, "base64url without padding"},

		"a URL":              {RedisURL, "redis://user:" + tell + "@redis.example.com:6380/1\n", ""},
		"no URL":             {RedisURL, "redis.example.com " + tell, "write redis://USER:PASSWORD@HOST:PORT"},
		"a bad port":         {RedisURL, "redis://user:" + tell + "@redis.example.com:x", "write HOST:PORT"},
		"with TLS":           {RedisTLSURL, "rediss+cluster://user:" + tell + "@redis.example.com:6380", ""},
		"a CA without TLS":   {RedisTLSURL, "redis://user:" + tell + "@redis.example.com:6380", "spec.redis.caSecretRef are not used: write rediss:// (rediss+sentinel://, rediss+cluster://) in the entry, or leave spec.redis.caSecretRef out"},
		"a CA without a URL": {RedisTLSURL, tell, "not a Redis URL"},

		"an authority":    {RedisCA, ca, ""},
		"no authority":    {RedisCA, pkix(&long.PublicKey), "no PEM certificate"},
		"a key beside it": {RedisCA, privatePEM, "no PEM certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			reference := Reference{Field: "spec.some.ref", Secret: "shop-secret", Key: "entry", Use: c.use}
			var record Record
			err := record.check(reference, map[string][]byte{"entry": []byte(c.value)}, time.Now())
			if (err != nil) != (c.problem != "") {
				t.Fatalf("the problem is %v, want %q", err, c.problem)
			}
			if err == nil {
				return
			}
			for _, text := range []string{"spec.some.ref", `Secret "shop-secret"`, `entry "entry"`, c.problem} {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("the message does not hold %q: %v", text, err)
				}
			}
			if strings.Contains(err.Error(), tell) || strings.Contains(err.Error(), b64([]byte(tell))) {
				t.Errorf("the message tells the value: %v", err)
			}
		})
	}
}

func TestMissingEntry(t *testing.T) {
	for use, purpose := range purposes {
		var record Record
		err := record.check(Reference{Field: "spec.some.ref", Secret: "shop-secret", Key: "entry", Use: use}, map[string][]byte{"other": nil}, time.Now())
		if err == nil || !strings.Contains(err.Error(), `spec.some.ref.key: Secret "shop-secret" has no entry "entry": add it`) || !strings.Contains(err.Error(), purpose) {
			t.Errorf("%s: %v", use, err)
		}
	}
}

// Of a Redis URL the ports are remembered, and nothing else.
func TestRedisPortsAreRemembered(t *testing.T) {
	for url, want := range map[string][]uint16{
		"redis://u:p@one.example.com":                                     {6379},
		"rediss://u:p@one.example.com:7000":                               {7000},
		"redis+sentinel://u:p@s1.example.com,s2.example.com:26380/master": {6379, 26379, 26380},
		"redis+cluster://u:p@n2.example.com:7002,n1.example.com:7001":     {7001, 7002},
	} {
		var record Record
		if err := record.check(Reference{Secret: "s", Key: "url", Use: RedisURL}, map[string][]byte{"url": []byte(url)}, time.Now()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(record.Ports, want) {
			t.Errorf("%s: ports %v, want %v", url, record.Ports, want)
		}
		if text := (Records{"s": record}).String(); strings.Contains(text, "example") || strings.Contains(text, "u:p") {
			t.Errorf("the record tells more: %s", text)
		}
	}
}
