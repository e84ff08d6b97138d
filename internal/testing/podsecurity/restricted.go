package podsecurity

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// Violations returns why the latest version of the standard "restricted" forbids a pod. It returns nothing for a pod that is allowed.
func Violations(spec corev1.PodSpec) ([]string, error) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, fmt.Errorf("the Pod Security Standards cannot be evaluated: %w", err)
	}
	var reasons []string
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(restricted, &metav1.ObjectMeta{}, &spec) {
		if !result.Allowed {
			reasons = append(reasons, result.ForbiddenReason+" ("+result.ForbiddenDetail+")")
		}
	}
	return reasons, nil
}
