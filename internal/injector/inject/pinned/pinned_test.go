package pinned_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/pinned"
)

// What an injector was started with replaces the same settings of the MeshConfig, and no others.
func TestIn(t *testing.T) {
	limit := corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}}
	settings := configv1alpha2.SidecarSpec{
		EnvoyImage: "config", InitContainerImage: "config", Resources: limit, Statistics: configv1alpha2.StatisticsAll, LogLevel: "debug",
	}
	if diff := cmp.Diff(settings, pinned.Sidecar{}.In(settings)); diff != "" {
		t.Errorf("without the flag the settings change (-want +got):\n%s", diff)
	}
	want := configv1alpha2.SidecarSpec{EnvoyImage: "a", InitContainerImage: "b", Statistics: configv1alpha2.StatisticsEssential, LogLevel: "debug"}
	if diff := cmp.Diff(want, pinned.Sidecar{Image: "a", InitImage: "b", Statistics: "Essential"}.In(settings)); diff != "" {
		t.Errorf("default resources (-want +got):\n%s", diff)
	}
	want.Resources = limit
	if diff := cmp.Diff(want, pinned.Sidecar{Image: "a", InitImage: "b", Statistics: "Essential", Resources: &limit}.In(settings)); diff != "" {
		t.Errorf("with resources (-want +got):\n%s", diff)
	}
}

func TestParse(t *testing.T) {
	for _, text := range []string{"{", "image", `{"image": 1}`} {
		if _, err := pinned.Parse(text); err == nil {
			t.Errorf("Parse(%s) accepts it", text)
		}
	}
	if s, err := pinned.Parse(""); err != nil || s != (pinned.Sidecar{}) {
		t.Errorf("Parse of nothing = %+v, %v", s, err)
	}
}
