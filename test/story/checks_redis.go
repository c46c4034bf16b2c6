package story

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

func checkPosture(ctx context.Context, e *Env) (string, error) {
	var app v1alpha1.NexusApp
	if err := e.get(ctx, &app, "nexusapp", "-n", Namespace, App); err != nil {
		return "", err
	}
	if risks := app.Spec.AcknowledgedRisks; len(risks) > 0 {
		return "", fmt.Errorf("a risk is acknowledged: %v", risks)
	}
	if failed := app.Status.Security.Failed; len(failed) > 0 {
		return "", fmt.Errorf("%v failed", failed)
	}
	return "SecurityPosture is True, " + app.Status.Security.Score + ", and no risk is acknowledged", e.wait(ctx, "condition=SecurityPosture", time.Minute)
}

// checkRedisReady also asks Redis without TLS and without a password, to show that the
// pods have no other way in.
func checkRedisReady(ctx context.Context, e *Env) (string, error) {
	if err := e.AwaitRedis(ctx, true); err != nil {
		return "", err
	}
	cli := []string{"exec", "-n", Namespace, "deployment/" + redisApp, "--", "redis-cli", "-e", "-h", "localhost"}
	if _, err := e.RunKubectl(ctx, append(cli, "ping")...); err == nil {
		return "", errors.New("without TLS, Redis answers")
	}
	_, err := e.RunKubectl(ctx, append(cli, "--tls", "--cacert", "/etc/redis/secret/ca.crt", "ping")...)
	if err := failedWith(err, "NOAUTH"); err != nil {
		return "", fmt.Errorf("asking Redis without a password: %w", err)
	}
	return "RedisReady is True, and Redis answers nobody without TLS and a password", nil
}

// AwaitRedis waits until every pod, and then the condition, says whether Redis can be
// used.
func (e *Env) AwaitRedis(ctx context.Context, up bool) error {
	want, status := 0.0, "False"
	if up {
		want, status = 1, "True"
	}
	err := Until(ctx, time.Minute, func(ctx context.Context) error {
		pods, err := e.metric(ctx, redisUpMetric)
		for pod, value := range pods {
			if value != want {
				return fmt.Errorf("pod %s has %s %v", pod, redisUpMetric, value)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return e.wait(ctx, "condition="+v1alpha1.ConditionRedisReady+"="+status, 2*time.Minute)
}

// checkRedisOutage takes Redis away while requests flow, and brings it back.
func checkRedisOutage(ctx context.Context, e *Env) (string, error) {
	perMinute, err := e.perMinute(ctx)
	if err != nil {
		return "", err
	}
	l := e.StartLoad(ctx)
	alone, err := e.redisOutage(ctx)
	sent, failed := l.Stop()
	if err != nil {
		return "", err
	}
	if failed != nil {
		return "", failed
	}
	seen, err := e.limitHolds(ctx, "again", perMinute)
	return fmt.Sprintf("%d requests meanwhile and none failed, %.0f of them counted without Redis; RedisReady went False and True again, Ready stayed True; then %s", sent, alone, seen), err
}

// redisOutage returns how many decisions were made without Redis.
func (e *Env) redisOutage(ctx context.Context) (alone float64, err error) {
	before, err := e.metric(ctx, storeErrorsMetric)
	if err != nil {
		return 0, err
	}
	if err := e.scaleRedis(ctx, 0); err != nil {
		return 0, err
	}
	if err := e.AwaitRedis(ctx, false); err != nil {
		return 0, err
	}
	if err := e.wait(ctx, "condition=Ready", time.Second); err != nil {
		return 0, fmt.Errorf("without Redis: %w", err)
	}
	after, err := e.metric(ctx, storeErrorsMetric)
	if err != nil {
		return 0, err
	}
	for pod := range after {
		if after[pod] == before[pod] {
			return 0, fmt.Errorf("pod %s has not counted by itself", pod)
		}
		alone += after[pod] - before[pod]
	}
	if err := e.scaleRedis(ctx, 1); err != nil {
		return 0, err
	}
	return alone, e.AwaitRedis(ctx, true)
}

func (e *Env) scaleRedis(ctx context.Context, replicas int) error {
	if _, err := e.RunKubectl(ctx, "scale", "deployment", "-n", Namespace, redisApp, fmt.Sprintf("--replicas=%d", replicas)); err != nil {
		return err
	}
	if replicas == 0 {
		_, err := e.RunKubectl(ctx, "wait", "pod", "-n", Namespace, "-l", "app="+redisApp, "--for=delete", "--timeout=60s")
		return err
	}
	return e.awaitRollout(ctx, redisApp)
}

// checkRedisRotation gives the app's Redis user a second password, the app the new one,
// and takes the old one away.
func checkRedisRotation(ctx context.Context, e *Env) (string, error) {
	perMinute, err := e.perMinute(ctx)
	if err != nil {
		return "", err
	}
	l := e.StartLoad(ctx)
	err = e.rotateRedisPassword(ctx)
	sent, failed := l.Stop()
	if err != nil {
		return "", err
	}
	if failed != nil {
		return "", failed
	}
	seen, err := e.limitHolds(ctx, "rotated", perMinute)
	return fmt.Sprintf("%d requests meanwhile, none failed, and no pod was replaced; then %s", sent, seen), err
}

func (e *Env) rotateRedisPassword(ctx context.Context) error {
	var app, server corev1.Secret
	if err := e.get(ctx, &app, "secret", "-n", Namespace, redisURLSecret); err != nil {
		return err
	}
	if err := e.get(ctx, &server, "secret", "-n", Namespace, redisApp); err != nil {
		return err
	}
	u, err := url.Parse(string(app.Data["url"]))
	if err != nil {
		return errors.New("the app's Redis URL cannot be read")
	}
	before, _ := u.User.Password()
	after := rand.Text()
	if err := e.redisAdmin(ctx, "ACL SETUSER "+redisUser+" "+digestRule("#", after)); err != nil {
		return fmt.Errorf("adding the new password: %w", err)
	}
	// What Redis reads when it starts again.
	file := map[string]string{"users.acl": users(string(server.Data["admin-password"]), after)}
	for name, value := range server.Data {
		if name != "users.acl" {
			file[name] = string(value)
		}
	}
	if err := e.applySecret(ctx, redisApp, file); err != nil {
		return err
	}
	if err := e.takeOver(ctx, func() error { return e.applyRedisURL(ctx, after) }); err != nil {
		return err
	}
	// Without the old password, and without the connections that it had opened.
	if err := e.redisAdmin(ctx, "ACL SETUSER "+redisUser+" "+digestRule("!", before), "CLIENT KILL USER "+redisUser); err != nil {
		return fmt.Errorf("removing the old password: %w", err)
	}
	if err := e.AwaitRedis(ctx, true); err != nil {
		return fmt.Errorf("with the new password: %w", err)
	}
	return nil
}

// takeOver makes a change of the Secret with Redis's URL and waits until every pod uses it.
// No pod is replaced for it.
func (e *Env) takeOver(ctx context.Context, change func() error) error {
	before, err := e.metric(ctx, redisTakenMetric)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	return Until(ctx, 2*time.Minute, func(ctx context.Context) error {
		now, err := e.metric(ctx, redisTakenMetric)
		for pod := range before {
			if now[pod] == before[pod] {
				return fmt.Errorf("pod %s still uses the former settings, or is gone", pod)
			}
		}
		return err
	})
}
