package takeover

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// source is the MeshConfig of an Open Service Mesh, with images of its own and a log level that the Mesh decides.
const source = `{"spec": {
  "sidecar": {"envoyImage": "envoy", "envoyWindowsImage": "windows", "initContainerImage": "init", "logLevel": "error", "maxDataPlaneConnections": 5},
  "traffic": {"enableEgress": true, "inboundPortExclusionList": [80]},
  "certificate": {"serviceCertValidityDuration": "24h"}
}}`

// TestFollowedSettingsAreWrittenOnce checks what is copied, and its hash: with another one, an operator that is upgraded would write the settings of a running mesh again.
func TestFollowedSettingsAreWrittenOnce(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := configv1alpha2.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).Build()
	r := &Reconciler{Cluster: &observe.Cluster{Client: c, Live: c, Catalogue: &operand.Catalogue{}, Now: time.Now}}
	from := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(source), &from.Object); err != nil {
		t.Fatal(err)
	}
	mesh := &v1alpha1.Mesh{}
	mesh.Name = "osm"
	mesh.Spec.Namespace = ptr.To("osm-mesh")
	mesh.Spec.Sidecar = &v1alpha1.SidecarSpec{LogLevel: ptr.To("debug")}
	for _, want := range []bool{true, false} {
		if changed, err := r.followSettings(t.Context(), mesh, "osm-system", from.DeepCopy()); err != nil || changed != want {
			t.Fatalf("changed is %t, want %t: %v", changed, want, err)
		}
	}
	live := &configv1alpha2.MeshConfig{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "osm-mesh", Name: names.MeshConfig}, live); err != nil {
		t.Fatal(err)
	}
	if live.Spec.Sidecar.EnvoyImage != "" || live.Spec.Sidecar.LogLevel != "" || live.Spec.Sidecar.MaxDataPlaneConnections != 5 || !live.Spec.Traffic.EnableEgress {
		t.Errorf("the copy is %+v", live.Spec)
	}
	if got := live.Annotations[followedAnnotation]; got != "a3885f02fd825766" {
		t.Errorf("the hash is %s", got)
	}
	if err := r.endSettings(t.Context(), mesh); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(live), live); err != nil {
		t.Fatal(err)
	}
	if len(live.Annotations) > 0 || live.Spec.Sidecar.MaxDataPlaneConnections != 5 {
		t.Errorf("after the takeover the MeshConfig has %v and %+v", live.Annotations, live.Spec)
	}
}
