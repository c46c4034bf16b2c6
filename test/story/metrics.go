package story

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Metrics of the runtime that the story looks at.
const (
	requestsMetric    = "nexus_requests_total"
	redisUpMetric     = "nexus_redis_up"
	redisTakenMetric  = "nexus_redis_settings_timestamp_seconds"
	storeErrorsMetric = "nexus_rate_limit_store_errors_total"
)

// metric returns, for each pod, the sum of a metric over its labels.
func (e *Env) metric(ctx context.Context, name string) (map[string]float64, error) {
	pods, err := e.Pods(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for _, pod := range pods {
		text, err := e.RunKubectl(ctx, "get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:9090/proxy/metrics", Namespace, pod.Name))
		if err != nil {
			return nil, err
		}
		sum, found := 0.0, false
		for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
			rest, is := strings.CutPrefix(lines.Text(), name)
			if !is || !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, " ") {
				continue
			}
			value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
			if err != nil {
				return nil, fmt.Errorf("metric %s of pod %s: %w", name, pod.Name, err)
			}
			sum, found = sum+value, true
		}
		if !found {
			return nil, fmt.Errorf("pod %s has no metric %s", pod.Name, name)
		}
		out[pod.Name] = sum
	}
	return out, nil
}
