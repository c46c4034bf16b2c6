package story

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Names of the Redis that the sample app counts its limits in.
const (
	redisApp       = "redis"
	redisHost      = redisApp + "." + Namespace + ".svc"
	redisUser      = "shop"
	redisURLSecret = "shop-redis"
	redisCASecret  = "shop-redis-ca"
)

//go:embed redis.yaml
var redisManifest string

// deployRedis runs Redis, with a certificate and passwords made once for the cluster.
func (e *Env) deployRedis(ctx context.Context) error {
	made, err := e.RunKubectl(ctx, "get", "secret", "-n", Namespace, redisURLSecret, "-o", "name", "--ignore-not-found")
	if err != nil {
		return err
	}
	if made == "" {
		if err := e.makeRedisSecrets(ctx); err != nil {
			return err
		}
	}
	manifest := strings.ReplaceAll(redisManifest, "REDIS_IMAGE", e.RedisImage)
	if _, err := e.RunKubectlIn(ctx, manifest, "apply", "-n", Namespace, "-f", "-"); err != nil {
		return err
	}
	return e.awaitRollout(ctx, redisApp)
}

func (e *Env) awaitRollout(ctx context.Context, deployment string) error {
	_, err := e.RunKubectl(ctx, "rollout", "status", "-n", Namespace, "deployment/"+deployment, "--timeout=180s")
	return err
}

func (e *Env) makeRedisSecrets(ctx context.Context) error {
	cert, err := newCertificate(redisHost, "localhost")
	if err != nil {
		return err
	}
	admin, password := rand.Text(), rand.Text()
	if err := e.applySecret(ctx, redisApp, map[string]string{
		"tls.crt": cert.certificate, "tls.key": cert.key, "ca.crt": cert.authority,
		"users.acl": users(admin, password), "admin-password": admin,
	}); err != nil {
		return err
	}
	if err := e.applySecret(ctx, redisCASecret, map[string]string{"ca.crt": cert.authority}); err != nil {
		return err
	}
	return e.applyRedisURL(ctx, password)
}

func (e *Env) applyRedisURL(ctx context.Context, password string) error {
	return e.applySecret(ctx, redisURLSecret, map[string]string{
		"url": "rediss://" + redisUser + ":" + password + "@" + redisHost + ":6379/0",
	})
}

// users is Redis's list of users: nobody by default, one who may manage users, and the
// app's, who may do what the runtime does, on its own keys.
func users(admin, password string) string {
	return "user default off\n" +
		"user admin on " + digestRule("#", admin) + " -@all +acl|setuser +client|kill +client|list\n" +
		"user " + redisUser + " on " + digestRule("#", password) + " ~nexus:* -@all +eval +evalsha +time +get +set +ping +hello\n"
}

// digestRule adds (#) or removes (!) a password of a user.
func digestRule(operation, password string) string {
	sum := sha256.Sum256([]byte(password))
	return operation + hex.EncodeToString(sum[:])
}

// redisAdmin runs commands in Redis's pod, as the user who may manage users. Passwords
// go by standard input: arguments are seen by others.
func (e *Env) redisAdmin(ctx context.Context, commands ...string) error {
	var secret corev1.Secret
	if err := e.get(ctx, &secret, "secret", "-n", Namespace, redisApp); err != nil {
		return err
	}
	stdin := "AUTH admin " + string(secret.Data["admin-password"]) + "\n" + strings.Join(commands, "\n") + "\n"
	out, err := e.RunKubectlIn(ctx, stdin, "exec", "-i", "-n", Namespace, "deployment/"+redisApp, "--",
		"redis-cli", "-e", "--tls", "--cacert", "/etc/redis/secret/ca.crt", "-h", "localhost")
	if err != nil {
		return err
	}
	if strings.Contains(out, "ERR") || strings.Contains(out, "NOPERM") || strings.Contains(out, "WRONGPASS") {
		return fmt.Errorf("redis-cli: %s", tail(out, 300))
	}
	return nil
}
