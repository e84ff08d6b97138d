package injector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// TestInjector runs the whole program against a real API server.
func TestInjector(t *testing.T) {
	h := startHarness(t)
	h.start(t)
	h.registerWebhook(t)
	t.Run("injects right after a namespace is labelled", h.injectsAfterLabelling)
	t.Run("writes nothing in a dry run", h.writesNothingInDryRun)
	t.Run("denies with a message", h.deniesWithMessage)
	t.Run("gives pods the address of the control plane", h.givesAddressOfControlPlane)
	t.Run("keeps what policies of others write", h.keepsPoliciesOfOthers)
	t.Run("keeps the defaults of LimitRanges", h.keepsDefaultsOfLimitRanges)
	t.Run("replaces sidecars that a requester submits", h.replacesSubmittedSidecars)
	t.Run("accepts resources of whole pods", h.acceptsResourcesOfPods)
	t.Run("warns about unprotected pods", h.skipsHostNetwork)
	t.Run("follows the MeshConfig", h.followsMeshConfig)
	t.Run("selects destinations by the cluster", h.selectsDestinations)
	t.Run("serves a renewed certificate", h.servesRenewedCertificate)
}

// createMember creates a namespace of the mesh.
func (h *harness) createMember(t *testing.T, name string) {
	t.Helper()
	h.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:        name,
		Labels:      map[string]string{names.MonitoredByLabel: "osm"},
		Annotations: map[string]string{names.InjectionAnnotation: "enabled"},
	}})
}

func newPod(namespace, name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		// No admission plugin sets the service account here, which a pod with a token must name.
		Spec: corev1.PodSpec{ServiceAccountName: "default", Containers: []corev1.Container{{Name: "app", Image: "app:1"}}},
	}
}

func (h *harness) getTrust(namespace string) (*corev1.ConfigMap, error) {
	found := &corev1.ConfigMap{}
	return found, h.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: names.TrustConfigMap("osm")}, found)
}

func (h *harness) injectsAfterLabelling(t *testing.T) {
	for i := range 5 {
		namespace := fmt.Sprintf("shop-%d", i)
		h.createMember(t, namespace)
		pod := newPod(namespace, "app")
		h.create(t, pod)
		if len(pod.Spec.InitContainers) != 2 || pod.Labels[names.ProxyUUIDLabel] == "" || pod.Labels[names.RevisionLabel] != "osm-v0-1-0" {
			t.Fatalf("the pod in %s has no sidecar: labels %v, %d init containers", namespace, pod.Labels, len(pod.Spec.InitContainers))
		}
		if arguments := strings.Join(pod.Spec.InitContainers[0].Args, " "); !strings.Contains(arguments, h.config.XDSHost) {
			t.Errorf("the bootstrap in %s lacks the host %s: %s", namespace, h.config.XDSHost, arguments)
		}
		if trust, err := h.getTrust(namespace); err != nil || trust.Data[names.CABundleCert] != "the root" {
			t.Errorf("trust of %s is %v, %v", namespace, trust.Data, err)
		}
	}
}

// givesAddressOfControlPlane creates the Service of the control plane while the injector runs.
func (h *harness) givesAddressOfControlPlane(t *testing.T) {
	h.createMember(t, "verified")
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "osm-controller-v0-1-0", Namespace: h.config.Namespace},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: names.ADSPort}}},
	}
	h.create(t, service)
	eventually.Succeeds(t, timeout, "new pods verify their redirection with the address", func() error {
		pod := newPod("verified", "app")
		h.create(t, pod, client.DryRunAll)
		want := fmt.Sprintf(`"verify":"%s:%d"`, service.Spec.ClusterIP, names.ADSPort)
		if arguments := strings.Join(pod.Spec.InitContainers[0].Args, " "); !strings.Contains(arguments, want) {
			return fmt.Errorf("%s is not in %s", want, arguments)
		}
		return nil
	})
}

func (h *harness) writesNothingInDryRun(t *testing.T) {
	h.createMember(t, "trial")
	pod := newPod("trial", "app")
	h.create(t, pod, client.DryRunAll)
	if len(pod.Spec.InitContainers) != 2 {
		t.Error("a dry run returned a pod without a sidecar")
	}
	if _, err := h.getTrust("trial"); !apierrors.IsNotFound(err) {
		t.Errorf("a dry run created the trust ConfigMap of its namespace: %v", err)
	}
}

func (h *harness) deniesWithMessage(t *testing.T) {
	h.createMember(t, "rejected")
	pod := newPod("rejected", "app")
	user := int64(names.ProxyUID)
	pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{RunAsUser: &user}
	err := h.Create(context.Background(), pod)
	const want = "pod rejected/app cannot get its sidecar: the container app runs as user 1500, which is the sidecar's"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want %q", err, want)
	}
}

func (h *harness) skipsHostNetwork(t *testing.T) {
	h.createMember(t, "node-agents")
	pod := newPod("node-agents", "agent")
	pod.Spec.HostNetwork = true
	h.create(t, pod)
	if len(pod.Spec.InitContainers) != 0 {
		t.Error("a pod in the network of its node got a sidecar, which would redirect the node's traffic")
	}
}

func (h *harness) followsMeshConfig(t *testing.T) {
	h.createMember(t, "configured")
	h.create(t, &configv1alpha2.MeshConfig{
		ObjectMeta: metav1.ObjectMeta{Name: names.MeshConfig, Namespace: h.config.Namespace},
		Spec: configv1alpha2.MeshConfigSpec{
			Sidecar:     configv1alpha2.SidecarSpec{EnvoyImage: "registry/envoy:2", LogLevel: "debug"},
			Certificate: configv1alpha2.CertificateSpec{ServiceCertValidityDuration: "24h", CertKeyBitSize: 2048},
		},
	})
	eventually.Succeeds(t, timeout, "new pods get the image of the MeshConfig", func() error {
		pod := newPod("configured", "app")
		h.create(t, pod, client.DryRunAll)
		if got := pod.Spec.InitContainers[1].Image; got != "registry/envoy:2" {
			return fmt.Errorf("the image is %s", got)
		}
		return nil
	})
}

// selectsDestinations changes a MeshConfig to Auto while the injector runs. The API server has its default ServiceCIDR.
func (h *harness) selectsDestinations(t *testing.T) {
	h.createMember(t, "large")
	config := &configv1alpha2.MeshConfig{}
	if err := h.Get(context.Background(), client.ObjectKey{Namespace: h.config.Namespace, Name: names.MeshConfig}, config); err != nil {
		t.Fatal(err)
	}
	config.Spec.Sidecar.Destinations, config.Spec.Sidecar.EnvoyImage = configv1alpha2.DestinationsAuto, ""
	config.Spec.Traffic.EnablePermissiveTrafficPolicyMode = true
	if err := h.Update(context.Background(), config); err != nil {
		t.Fatal(err)
	}
	isOnDemand := func() bool {
		pod := newPod("large", "app")
		h.create(t, pod, client.DryRunAll)
		return slices.Contains(pod.Spec.InitContainers[1].Env, corev1.EnvVar{Name: names.DestinationsEnv, Value: names.DestinationsOnDemand})
	}
	for i := range inject.AutoServices + 1 {
		if i == inject.AutoServices && isOnDemand() {
			t.Errorf("a sidecar with %d Services loads them on demand", i)
		}
		h.create(t, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("service-", i), Namespace: "large"},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
		})
	}
	eventually.Succeeds(t, timeout, "new sidecars load their destinations on demand", func() error {
		if !isOnDemand() {
			return errors.New("the sidecar is Eager")
		}
		return nil
	})
}

func (h *harness) servesRenewedCertificate(t *testing.T) {
	url := "https://" + h.config.WebhookAddress + "/healthz"
	if err := get(url, h.root); err != nil {
		t.Fatal(err)
	}
	renewed := newCertificate(t, h.config.WebhookCertDir)
	eventually.Succeeds(t, timeout, "the renewed certificate is served", func() error { return get(url, renewed) })
}
