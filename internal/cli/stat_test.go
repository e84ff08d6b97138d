package cli

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/stat"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Namespaces whose pods are not scraped are named, instead of being absent from the statistics.
func TestNamespacesWithoutMetricsAreNamed(t *testing.T) {
	namespace := func(name, mesh, metrics string) *corev1.Namespace {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{names.MonitoredByLabel: mesh}}}
		if metrics != "" {
			ns.Annotations = map[string]string{names.MetricsAnnotation: metrics}
		}
		return ns
	}
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		namespace("web", "osm", ""), namespace("api", "osm", "disabled"), namespace("shop", "osm", "enabled"), namespace("other", "theirs", "")).Build()
	for selected, want := range map[string][]string{"": {"api", "web"}, "web": {"web"}, "shop": nil} {
		got, err := namespacesWithoutMetrics(t.Context(), c, mesh{Name: "osm"}, selected)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("of %q: %v (%v), want %v", selected, got, err, want)
		}
	}
}

// The codes of osm analyze are explained like reasons.
func TestAnalysisCodesAreExplained(t *testing.T) {
	if code := analysisCode("osm0204"); code == nil || code.Title == "" || analysisCode("OSM9999") != nil {
		t.Errorf("the code is %+v", code)
	}
}

// TestStatGroupsHaveTheNamesOfKubectl accepts what people write for kubectl get.
func TestStatGroupsHaveTheNamesOfKubectl(t *testing.T) {
	for word, want := range map[string]stat.Group{
		"deploy": stat.Workloads, "deployments": stat.Workloads, "sts": stat.Workloads, "workloads": stat.Workloads, "svc": stat.Services, "Services": stat.Services, "route": stat.Routes,
		"nope": "nope",
	} {
		if got := statGroup(word); got != want {
			t.Errorf("%s is %q, want %q", word, got, want)
		}
	}
}
