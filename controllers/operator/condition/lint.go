package condition

import (
	"fmt"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// Lint says which rules a status breaks. generation is that of the object, observed the one that its status names.
func Lint(generation, observed int64, conditions []metav1.Condition) []string {
	var broken []string
	say := func(format string, arguments ...any) { broken = append(broken, fmt.Sprintf(format, arguments...)) }
	if observed > generation {
		say("observedGeneration %d is ahead of generation %d", observed, generation)
	}
	for _, c := range conditions {
		if c.ObservedGeneration != observed {
			say("%s speaks about generation %d, the status about %d", c.Type, c.ObservedGeneration, observed)
		}
		if strings.TrimSpace(c.Message) == "" {
			say("%s has no message", c.Type)
		}
		if strings.IndexFunc(c.Reason, func(r rune) bool { return !unicode.IsLetter(r) }) >= 0 || c.Reason == "" {
			say("the reason %q of %s is not one word", c.Reason, c.Type)
		}
	}
	lintSummary(conditions, say)
	return broken
}

// lintSummary looks at how Ready, Reconciling and Stalled go together.
func lintSummary(conditions []metav1.Condition, say func(string, ...any)) {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	reconciling := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling)
	stalled := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
	for _, c := range []*metav1.Condition{reconciling, stalled} {
		if c != nil && c.Status != metav1.ConditionTrue {
			say("%s exists and is %s: it must be True or absent", c.Type, c.Status)
		}
	}
	switch {
	case ready == nil:
		say("there is no condition Ready")
		return
	case reconciling != nil && stalled != nil:
		say("Reconciling and Stalled are both there")
	}
	switch ready.Status {
	case metav1.ConditionTrue:
		if reconciling != nil || stalled != nil {
			say("Ready is True while Reconciling or Stalled is there")
		}
	case metav1.ConditionUnknown:
		if reconciling == nil && ready.Reason != v1alpha1.ReasonPlanned {
			say("Ready is Unknown and Reconciling is not there: nobody is working on it")
		}
	case metav1.ConditionFalse:
		if reconciling == nil && stalled == nil {
			say("Ready is False and neither Reconciling nor Stalled is there")
		}
	}
}
