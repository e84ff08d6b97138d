package upgrade

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// A sidecar is upgraded in place in a namespace as platform teams make them, without a failed request. An admission policy there replaces images of new and of
// changed pods. The slots get what it makes of the image that the Mesh declares.
func TestSidecarIsUpgradedInPlaceInNamespaceOfPlatformTeam(t *testing.T) {
	lab.RequireFull(t)
	requireLocalImages(t)
	cluster.Record(t, "a sidecar is upgraded in place in a namespace with limits, quotas and admission policies of a platform team")
	first, second := currentEnvoy(t), loadEnvoy(t, "patched", patched)
	m := newMesh(t, "tenants", cluster.Version)
	m.change(fmt.Sprintf(`{"upgrade":{"dataPlane":{"restart":"InPlace"}},"sidecar":{"image":%q}}`, first))
	m.awaitInjector("--in-place=true")
	s := deployTenantCart(t, m)
	s.awaitSlots("both slots have the first image", first, 2)
	requests, err := s.agent(buyer).StartRequests(t.Context(), s.url(cart), "--rate", "50", "--most", "100", "--timeout", requestTimeout)
	lab.Must(t, err)

	m.change(fmt.Sprintf(`{"sidecar":{"image":%q}}`, strings.TrimPrefix(second, "docker.io/")))
	s.awaitSlots("the new Envoy serves", second, 1)
	s.awaitSlots("the earlier Envoy has drained, and its slot has the new image", second, 2)
	result, err := requests.Stop(t.Context())
	lab.Must(t, err)
	t.Logf("%d requests: %v, %d skipped, late by up to %s", result.Requests, result.Outcomes, result.Skipped, result.Late)
	if result.Failed() > 0 {
		t.Errorf("requests failed while the sidecars were upgraded: %+v", result)
	}
	s.checkNotRestarted()
	s.checkTenantPods()
}

// deployTenantCart deploys buyer and cart in the shop of a mesh, a namespace with the policies of a platform team.
func deployTenantCart(t *testing.T, m mesh) shop {
	t.Helper()
	s := shop{t, m, m.shop()}
	lab.Must(t, cluster.CreateNamespace(t.Context(), s.namespace, m.name))
	t.Cleanup(func() {
		s.close()
		lab.Must(t, cluster.RemoveTenantPolicies(context.WithoutCancel(t.Context())))
	})
	lab.Must(t, cluster.MakeTenant(t.Context(), s.namespace))
	lab.Must(t, cluster.Put(t.Context(), fmt.Sprintf(policies, s.namespace, cart)))
	account, pod := cluster.TenantPod(s.namespace, buyer)
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	account, pod = cluster.TenantPod(s.namespace, cart)
	lab.Must(t, cluster.Create(t.Context(), account, lab.TestService(s.namespace, cart), lab.Deployment(pod, 1)))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, s.namespace))
	s.awaitReachable(s.agent(buyer), cart)
	return s
}

// checkTenantPods requires that what the policies of the platform wrote on each container is still there, and that both pods have slots.
func (s shop) checkTenantPods() {
	s.t.Helper()
	var pods corev1.PodList
	lab.Must(s.t, cluster.Client.List(s.t.Context(), &pods, client.InNamespace(s.namespace)))
	for i := range pods.Items {
		pod := &pods.Items[i]
		hasStandby := slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == names.StandbyContainer })
		if missing := lab.CheckTenantPod(pod); missing != "" || !hasStandby {
			s.t.Errorf("pod %s has two slots: %t; %s", pod.Name, hasStandby, missing)
		}
	}
}
