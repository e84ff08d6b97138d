// Package conditionlint checks the conditions of a status, for the tests of reconcilers.
//
// In: the generations and conditions of an object. Out: what breaks the conventions of Kubernetes and kstatus.
package conditionlint

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// Lint returns the rules that the conditions of a status break. generation is that of the object, observed that of the status, which is
// that of the summary. The controllers of the parts write their conditions at other times.
func Lint(generation, observed int64, conditions []metav1.Condition) []string {
	var violations []string
	report := func(format string, arguments ...any) {
		violations = append(violations, fmt.Sprintf(format, arguments...))
	}
	if observed > generation {
		report("observedGeneration %d is later than generation %d", observed, generation)
	}
	for _, c := range conditions {
		if isSummary := slices.Contains([]string{v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled}, c.Type); isSummary &&
			c.ObservedGeneration != observed {
			report("%s has observedGeneration %d, the status %d", c.Type, c.ObservedGeneration, observed)
		}
		if c.ObservedGeneration > generation {
			report("%s has observedGeneration %d, which is later than generation %d", c.Type, c.ObservedGeneration, generation)
		}
		if strings.TrimSpace(c.Message) == "" {
			report("%s has no message", c.Type)
		}
		if strings.IndexFunc(c.Reason, func(r rune) bool { return !unicode.IsLetter(r) }) >= 0 || c.Reason == "" {
			report("the reason %q of %s is not one word", c.Reason, c.Type)
		}
	}
	lintSummary(conditions, report)
	return violations
}

// lintSummary checks how Ready, Reconciling and Stalled go together.
func lintSummary(conditions []metav1.Condition, report func(string, ...any)) {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	reconciling := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling)
	stalled := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
	for _, c := range []*metav1.Condition{reconciling, stalled} {
		if c != nil && c.Status != metav1.ConditionTrue {
			report("%s is %s: it must be True or absent", c.Type, c.Status)
		}
	}
	switch {
	case ready == nil:
		report("Ready is absent")
		return
	case reconciling != nil && stalled != nil:
		report("Reconciling and Stalled are both present")
	}
	switch ready.Status {
	case metav1.ConditionTrue:
		if reconciling != nil || stalled != nil {
			report("Ready is True with Reconciling or Stalled")
		}
	case metav1.ConditionUnknown:
		if reconciling == nil && ready.Reason != v1alpha1.ReasonPlanned {
			report("Ready is Unknown without Reconciling")
		}
	case metav1.ConditionFalse:
		if reconciling == nil && stalled == nil {
			report("Ready is False without Reconciling or Stalled")
		}
	}
}
