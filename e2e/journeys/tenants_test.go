package journeys

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// A namespace has Pod Security labels, a LimitRange, a quota and NetworkPolicies, and admission policies rewrite its pods and reject some. Sidecars fit into it,
// what the policies write on them stays, and access follows the policies of the mesh.
func TestSidecarsFitIntoNamespaceOfPlatformTeam(t *testing.T) {
	cluster.RequireTenants(t)
	t.Parallel()
	ns := createNamespace(t, "tenant", names.DefaultMesh)
	lab.Must(t, cluster.MakeTenant(t.Context(), ns))
	t.Run("what the platform forbids is rejected", func(t *testing.T) { testPlatformRejections(t, ns) })
	policy := grant{namespace: ns, name: "friend", destination: "server", source: ns + "/friend", rules: []string{"paths:books"}}.String()
	applyPolicies(t, routeGroup(ns, "paths", "books=/books", "admin=/admin"), policy)
	pods := map[string]workload{}
	for _, name := range []string{"server", "friend"} {
		account, pod := cluster.TenantPod(ns, name)
		lab.Must(t, cluster.Create(t.Context(), account, lab.TestService(ns, name), pod))
		pods[name] = workload{cluster.Agent(t.Context(), ns, name, lab.AgentPort), ns, name}
	}
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, ns))
	for _, p := range pods {
		pod := p.pod(t)
		if missing := lab.CheckTenantPod(pod); missing != "" || !hasSidecar(pod) {
			t.Errorf("pod %s: %s", p.name, missing)
		}
	}
	friend, server := pods["friend"], pods["server"]
	friend.expect(t, server.url("/books"), "200")
	friend.expect(t, server.url("/admin"), "404")
	deletePolicies(t, policy)
	friend.expect(t, server.url("/books"), report.Reset)
}

// testPlatformRejections checks that the policies of the platform apply. What they reject is not the fault of the mesh.
func testPlatformRejections(t *testing.T, ns string) {
	yes := true
	for name, c := range map[string]struct {
		change func(*corev1.Pod)
		part   string
	}{
		"a privileged container": {func(p *corev1.Pod) {
			p.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation, p.Spec.Containers[0].SecurityContext.Privileged = nil, &yes
		}, "privileged containers are not permitted"},
		"NET_ADMIN of an application": {func(p *corev1.Pod) {
			p.Spec.Containers[0].SecurityContext.Capabilities.Add = []corev1.Capability{"NET_ADMIN"}
		}, "only osm-init"},
		"a limit above the maximum": {setLimit(corev1.ResourceCPU, "1100m"), "maximum cpu usage per Container"},
		"a limit far above the request": {func(p *corev1.Pod) {
			setLimit(corev1.ResourceMemory, "512Mi")(p)
			p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("16Mi")}
		}, "memory max limit to request ratio per Container"},
	} {
		t.Run(name, func(t *testing.T) {
			_, pod := cluster.TenantPod(ns, uniqueName("trial"))
			pod.Spec.ServiceAccountName = "default"
			c.change(pod)
			requireRejection(t, cluster.Client.Create(t.Context(), pod, client.DryRunAll), c.part)
		})
	}
}

// setLimit returns a function that limits a resource of the application.
func setLimit(name corev1.ResourceName, limit string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{name: resource.MustParse(limit)}
	}
}

// The bookstore runs without changes in namespaces as platform teams make them: its manifests are applied as they are, and the journey is that of other namespaces.
func TestBookstoreRunsInNamespacesOfPlatformTeam(t *testing.T) {
	lab.RequireFull(t)
	cluster.Record(t, "the bookstore in namespaces with limits, quotas and admission policies of a platform team")
	for _, name := range bookstoreNamespaces() {
		exists, err := cluster.HasNamespace(t.Context(), bookstoreLimit, name)
		lab.Must(t, err)
		if exists {
			t.Skip("a demo runs, whose pods the policies would not reach")
		}
		lab.Must(t, cluster.CreateNamespace(t.Context(), name, names.DefaultMesh))
		cleanUp(t, name)
		lab.Must(t, cluster.MakeTenant(t.Context(), name))
	}
	testBookstore(t)
	for _, name := range bookstoreNamespaces() {
		requireTenantPods(t, name)
	}
}

// requireTenantPods fails the test unless the policies of the platform apply to each container of a namespace.
func requireTenantPods(t *testing.T, namespace string) {
	t.Helper()
	var pods corev1.PodList
	lab.Must(t, cluster.Client.List(t.Context(), &pods, client.InNamespace(namespace)))
	for i := range pods.Items {
		if missing := lab.CheckTenantPod(&pods.Items[i]); missing != "" {
			t.Errorf("pod %s: %s", pods.Items[i].Name, missing)
		}
	}
	if len(pods.Items) == 0 {
		t.Errorf("namespace %s has no pods", namespace)
	}
}
