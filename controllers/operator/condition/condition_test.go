package condition

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Every way from one state to another keeps the rules.
func TestEverySequenceOfStatesKeepsTheRules(t *testing.T) {
	states := []State{Working, Ready, Failing, Stalled}
	for _, first := range states {
		for _, second := range states {
			var list []metav1.Condition
			for generation, state := range []State{first, second} {
				c := Of(&list, int64(generation+1), start)
				c.Part(v1alpha1.ConditionInstalled, Verdict{State: state, Reason: "Because", Message: "it is so"})
				c.Summarise(Verdict{State: state, Reason: "Because", Message: "it is so"})
				if broken := Lint(int64(generation+1), int64(generation+1), list); len(broken) > 0 {
					t.Errorf("state %d after %d breaks rules: %v", state, first, broken)
				}
			}
		}
	}
}

func TestTransitionTimeIsThatOfTheStatus(t *testing.T) {
	var list []metav1.Condition
	Of(&list, 1, start).Summarise(Verdict{Working, "Progressing", "one"})
	Of(&list, 1, start.Add(time.Minute)).Summarise(Verdict{Working, "Other", "two"})
	ready := meta.FindStatusCondition(list, v1alpha1.ConditionReady)
	if !ready.LastTransitionTime.Time.Equal(start) || ready.Message != "two" {
		t.Errorf("a new message changed the transition time: %+v", ready)
	}
	Of(&list, 1, start.Add(time.Hour)).Summarise(Verdict{Ready, "Ready", "three"})
	ready = meta.FindStatusCondition(list, v1alpha1.ConditionReady)
	if !ready.LastTransitionTime.Time.Equal(start.Add(time.Hour)) {
		t.Errorf("the transition time is %s", ready.LastTransitionTime)
	}
}

func TestLongMessagesAreCut(t *testing.T) {
	var list []metav1.Condition
	Of(&list, 1, start).Summarise(Verdict{Failing, "Because", strings.Repeat("x", 40000)})
	if length := len(list[0].Message); length > 32768 {
		t.Errorf("the message has %d characters, more than the API server takes", length)
	}
}

func TestLintFindsBrokenRules(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: "Because", Message: "it is so", ObservedGeneration: 1}
	}
	yes, no, unknown := metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	tests := map[string]struct {
		conditions []metav1.Condition
		want       string
	}{
		"no Ready":                 {[]metav1.Condition{condition("Reconciling", yes)}, "no condition Ready"},
		"Reconciling False":        {[]metav1.Condition{condition("Ready", yes), condition("Reconciling", no)}, "must be True or absent"},
		"Ready while Reconciling":  {[]metav1.Condition{condition("Ready", yes), condition("Reconciling", yes)}, "Ready is True while"},
		"both":                     {[]metav1.Condition{condition("Ready", no), condition("Reconciling", yes), condition("Stalled", yes)}, "both there"},
		"Unknown and nobody works": {[]metav1.Condition{condition("Ready", unknown)}, "nobody is working"},
		"False and silent":         {[]metav1.Condition{condition("Ready", no)}, "neither"},
		"reason of two words":      {[]metav1.Condition{{Type: "Ready", Status: yes, Reason: "Two words", Message: "x", ObservedGeneration: 1}}, "not one word"},
		"no message":               {[]metav1.Condition{{Type: "Ready", Status: yes, Reason: "R", ObservedGeneration: 1}}, "no message"},
		"another generation":       {[]metav1.Condition{{Type: "Ready", Status: yes, Reason: "R", Message: "m", ObservedGeneration: 7}}, "speaks about generation 7"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if broken := strings.Join(Lint(1, 1, test.conditions), "; "); !strings.Contains(broken, test.want) {
				t.Errorf("Lint = %q, want it to say %q", broken, test.want)
			}
		})
	}
	if diff := cmp.Diff([]string(nil), Lint(1, 1, []metav1.Condition{condition("Ready", yes)})); diff != "" {
		t.Errorf("a good status is complained about: %s", diff)
	}
}
