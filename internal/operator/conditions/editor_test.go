package conditions

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/testing/conditionlint"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestEveryTransitionPassesLint(t *testing.T) {
	states := []State{Progressing, Ready, Failing, Stalled}
	for _, first := range states {
		for _, second := range states {
			var list []metav1.Condition
			for generation, state := range []State{first, second} {
				editor := NewEditor(&list, int64(generation+1), start)
				editor.Set(v1alpha1.ConditionInstalled, Assessment{State: state, Reason: "Because", Message: "it is so"})
				editor.SetSummary(Assessment{State: state, Reason: "Because", Message: "it is so"})
				if violations := conditionlint.Lint(int64(generation+1), int64(generation+1), list); len(violations) > 0 {
					t.Errorf("state %d after %d: %v", state, first, violations)
				}
			}
		}
	}
}

func TestTransitionTimeChangesWithTheStatus(t *testing.T) {
	var list []metav1.Condition
	NewEditor(&list, 1, start).SetSummary(Assessment{Progressing, "Progressing", "one"})
	NewEditor(&list, 1, start.Add(time.Minute)).SetSummary(Assessment{Progressing, "Other", "two"})
	ready := meta.FindStatusCondition(list, v1alpha1.ConditionReady)
	if !ready.LastTransitionTime.Time.Equal(start) || ready.Message != "two" {
		t.Errorf("a new message changed the transition time: %+v", ready)
	}
	NewEditor(&list, 1, start.Add(time.Hour)).SetSummary(Assessment{Ready, "Ready", "three"})
	ready = meta.FindStatusCondition(list, v1alpha1.ConditionReady)
	if !ready.LastTransitionTime.Time.Equal(start.Add(time.Hour)) {
		t.Errorf("the transition time is %s", ready.LastTransitionTime)
	}
}

func TestLongMessagesAreTruncated(t *testing.T) {
	var list []metav1.Condition
	NewEditor(&list, 1, start).SetSummary(Assessment{Failing, "Because", strings.Repeat("x", 40000)})
	if length := len(list[0].Message); length > 32768 {
		t.Errorf("the message has %d characters, more than the API server accepts", length)
	}
}

func TestLintReportsViolations(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: "Because", Message: "it is so", ObservedGeneration: 1}
	}
	yes, no, unknown := metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	tests := map[string]struct {
		conditions []metav1.Condition
		want       string
	}{
		"no Ready":                    {[]metav1.Condition{condition("Reconciling", yes)}, "Ready is absent"},
		"Reconciling False":           {[]metav1.Condition{condition("Ready", yes), condition("Reconciling", no)}, "must be True or absent"},
		"Ready while Reconciling":     {[]metav1.Condition{condition("Ready", yes), condition("Reconciling", yes)}, "Ready is True with"},
		"Reconciling and Stalled":     {[]metav1.Condition{condition("Ready", no), condition("Reconciling", yes), condition("Stalled", yes)}, "both present"},
		"Unknown and not Reconciling": {[]metav1.Condition{condition("Ready", unknown)}, "without Reconciling"},
		"False alone":                 {[]metav1.Condition{condition("Ready", no)}, "without Reconciling or Stalled"},
		"reason of two words":         {[]metav1.Condition{{Type: "Ready", Status: yes, Reason: "Two words", Message: "x", ObservedGeneration: 1}}, "not one word"},
		"no message":                  {[]metav1.Condition{{Type: "Ready", Status: yes, Reason: "R", ObservedGeneration: 1}}, "no message"},
		"another generation":          {[]metav1.Condition{{Type: "Ready", Status: yes, Reason: "R", Message: "m", ObservedGeneration: 7}}, "has observedGeneration 7"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if violations := strings.Join(conditionlint.Lint(1, 1, test.conditions), "; "); !strings.Contains(violations, test.want) {
				t.Errorf("Lint = %q, want %q", violations, test.want)
			}
		})
	}
	if diff := cmp.Diff([]string(nil), conditionlint.Lint(1, 1, []metav1.Condition{condition("Ready", yes)})); diff != "" {
		t.Errorf("a valid status has violations: %s", diff)
	}
}
