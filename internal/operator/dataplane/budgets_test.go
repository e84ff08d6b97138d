package dataplane

import (
	"testing"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A budget selects as Kubernetes does: an empty selector all pods of its namespace, none no pod, and one that is not valid no pod.
func TestBudgetsThatBlock(t *testing.T) {
	selecting := func(selector *metav1.LabelSelector) func(*policyv1.PodDisruptionBudget) {
		return func(b *policyv1.PodDisruptionBudget) { b.Spec.Selector = selector }
	}
	invalid := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Like"}}}
	for name, test := range map[string]struct {
		change func(*policyv1.PodDisruptionBudget)
		blocks bool
	}{
		"selects the pods":       {func(*policyv1.PodDisruptionBudget) {}, true},
		"has an empty selector":  {selecting(&metav1.LabelSelector{}), true},
		"has no selector":        {selecting(nil), false},
		"has a selector of none": {selecting(invalid), false},
		"allows a disruption":    {func(b *policyv1.PodDisruptionBudget) { b.Status.DisruptionsAllowed = 1 }, false},
		"expects no pods":        {func(b *policyv1.PodDisruptionBudget) { b.Status.ExpectedPods = 0 }, false},
		"is of other namespaces": {func(b *policyv1.PodDisruptionBudget) { b.Namespace = "other" }, false},
	} {
		b := budget("strict", "web", 0)
		test.change(&b)
		got := observation{budgets: []policyv1.PodDisruptionBudget{b}}.blockingBudget("shop", map[string]string{"app": "web"})
		if (got != "") != test.blocks {
			t.Errorf("a budget that %s: blocked by %q, want %t", name, got, test.blocks)
		}
	}
}
