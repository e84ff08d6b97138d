package inject

import (
	"bytes"
	"os"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
)

// The constraint for OpenShift permits what injection adds, and no privileged container.
func TestConstraintPermitsInjectedContainers(t *testing.T) {
	content, err := os.ReadFile("../../../config/platforms/openshift/sidecars.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var constraint struct {
		AllowPrivilegedContainer bool                  `json:"allowPrivilegedContainer"`
		AllowPrivilegeEscalation bool                  `json:"allowPrivilegeEscalation"`
		AllowedCapabilities      []corev1.Capability   `json:"allowedCapabilities"`
		RunAsUser                struct{ Type string } `json:"runAsUser"`
		SeccompProfiles          []string              `json:"seccompProfiles"`
		Volumes                  []string              `json:"volumes"`
	}
	if err := yaml.Unmarshal(bytes.SplitN(content, []byte("\n---\n"), 2)[0], &constraint); err != nil {
		t.Fatal(err)
	}
	if constraint.AllowPrivilegedContainer || constraint.AllowPrivilegeEscalation || constraint.RunAsUser.Type != "RunAsAny" {
		t.Errorf("the constraint permits privileged containers, or not the users of injected ones: %+v", constraint)
	}
	for _, c := range []corev1.Container{
		initContainer("init", nil, corev1.ResourceRequirements{}, false),
		sidecarContainer("envoy", "cluster", workload.Reference{}, nil, sidecarSettings{}),
	} {
		security := c.SecurityContext
		if ptr.Deref(security.Privileged, true) || ptr.Deref(security.AllowPrivilegeEscalation, true) {
			t.Errorf("%s is privileged", c.Name)
		}
		for _, capability := range security.Capabilities.Add {
			if !slices.Contains(constraint.AllowedCapabilities, capability) {
				t.Errorf("%s adds the capability %s", c.Name, capability)
			}
		}
		if security.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || !slices.Contains(constraint.SeccompProfiles, "runtime/default") {
			t.Errorf("%s has the seccomp profile %s", c.Name, security.SeccompProfile.Type)
		}
	}
	for _, kind := range []string{"emptyDir", "projected", "configMap"} {
		if !slices.Contains(constraint.Volumes, kind) {
			t.Errorf("the constraint does not permit the volume %s", kind)
		}
	}
}
