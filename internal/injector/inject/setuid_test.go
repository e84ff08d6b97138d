package inject

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestChangeOfTheUserIsWarnedOf declares capabilities with which an application can become the user of the sidecar.
func TestChangeOfTheUserIsWarnedOf(t *testing.T) {
	for capability, want := range map[corev1.Capability]string{
		"SETUID": "run as the user of the sidecar", "CAP_SETUID": "run as the user of the sidecar", "ALL": "change the pod's network", "CHOWN": "",
	} {
		security := &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{capability}}}
		got := strings.Join(networkWarnings("app", security), " ")
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: the warnings are %q, want %q", capability, got, want)
		}
	}
	if got := networkWarnings("app", nil); got != nil {
		t.Errorf("a container without a security context: %q", got)
	}
}
