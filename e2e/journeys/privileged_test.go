package journeys

import (
	"context"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// testPrivilegedInitContainer runs osm-init as a privileged container. Only osm-init is privileged, and the sidecar's rules are in place.
func testPrivilegedInitContainer(t *testing.T) {
	s := sharedFixture(t)
	patchMeshConfig(t, `{"spec":{"sidecar":{"enablePrivilegedInitContainer":true}}}`, `{"spec":{"sidecar":{"enablePrivilegedInitContainer":false}}}`)
	ns := createNamespace(t, "privileged", names.DefaultMesh)
	lab.Eventually(t, policyLimit, "the injector uses the setting", func(context.Context) (bool, string, error) {
		pod, err := dryRunPod(t, ns, "", nil)
		return err == nil && slices.ContainsFunc(pod.Spec.InitContainers, isPrivileged), "", err
	})
	pods := createWorkloads(t, ns, "server", "friend")
	lab.Must(t, cluster.Put(t.Context(), routeGroup(ns, "paths", "books=/books")+
		grant{namespace: ns, name: "friend", destination: "server", source: ns + "/friend", rules: []string{"paths:books"}}.String()))
	spec := pods["server"].pod(t).Spec
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		if got, want := isPrivileged(c), c.Name == names.InitContainer; got != want {
			t.Errorf("container %s is privileged: %t, want %t", c.Name, got, want)
		}
	}
	pods["friend"].expect(t, pods["server"].url("/books"), "200")
	pods["friend"].expect(t, pods["server"].url("/admin"), "404")
	s.outsider.expect(t, pods["server"].url("/books"), report.Reset)
}

func isPrivileged(c corev1.Container) bool {
	return c.SecurityContext != nil && c.SecurityContext.Privileged != nil && *c.SecurityContext.Privileged
}
