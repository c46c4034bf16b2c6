package status_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/status"
)

// What was told of Redis stands until the pods have been asked again; what was not known
// is not taken for an answer.
func TestRedisReadyStandsUntilAsked(t *testing.T) {
	a, o := app(), serving()
	redis(&o)
	o.Redis = status.RedisAnswers{Down: 1, Problems: []string{"timeout"}}
	a.Status = status.Summarize(a, o)
	told := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionRedisReady)
	o.Redis = status.RedisAnswers{}
	again := status.Summarize(a, o)
	if c := meta.FindStatusCondition(again.Conditions, v1alpha1.ConditionRedisReady); *c != *told {
		t.Errorf("before anybody was asked, %+v became %+v", told, c)
	}
	ready := o.Pods
	o.Pods = nil
	a.Status = status.Summarize(a, o)
	o.Pods = ready
	again = status.Summarize(a, o)
	if c := meta.FindStatusCondition(again.Conditions, v1alpha1.ConditionRedisReady); !strings.Contains(c.Message, "not been asked") {
		t.Errorf("pods that are ready again: %s", c.Message)
	}
	o.InForce.Spec.Redis = nil
	a.Status = status.Summarize(a, o)
	if c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionRedisReady); c != nil {
		t.Errorf("without Redis there is %+v", c)
	}
}
