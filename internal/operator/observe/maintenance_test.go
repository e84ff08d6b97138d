package observe

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// A label on the namespace, or an older Mesh that names it, must not let the certificates of a running control plane expire.
func TestRunningMeshIsMaintainedWhateverClaimsItsNamespace(t *testing.T) {
	for name, c := range map[string]struct {
		label    string
		older    bool
		deployed string
		want     bool
	}{
		"the namespace joins another mesh":              {label: "other", deployed: "osm", want: true},
		"an older Mesh claims the namespace":            {older: true, deployed: "osm", want: true},
		"the namespace was claimed before installation": {older: true},
		"the control plane is of the older Mesh":        {older: true, deployed: "other"},
	} {
		t.Run(name, func(t *testing.T) {
			mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", CreationTimestamp: metav1.Unix(200, 0)}}
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: names.DefaultNamespace, Labels: map[string]string{}}}
			if c.label != "" {
				namespace.Labels[names.MonitoredByLabel] = c.label
			}
			objects := []client.Object{mesh, namespace}
			if c.older {
				objects = append(objects, &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "other", CreationTimestamp: metav1.Unix(100, 0)}})
			}
			if c.deployed != "" {
				objects = append(objects, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
					Namespace: names.DefaultNamespace, Name: names.Controller, Labels: map[string]string{names.MeshLabel: c.deployed},
				}})
			}
			cluster := clusterOf(t, objects...)
			if got, err := cluster.NeedsMaintenance(t.Context(), mesh); err != nil || got != c.want {
				t.Errorf("maintained: %t, %v, want %t", got, err, c.want)
			}
		})
	}
}

func clusterOf(t *testing.T, objects ...client.Object) *Cluster {
	t.Helper()
	scheme := clientgoscheme.Scheme
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	catalogue, err := operand.NewCatalogue(compatibility.Current().Minor+".0", operand.Images{})
	if err != nil {
		t.Fatal(err)
	}
	return &Cluster{
		Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), Catalogue: catalogue,
		Compatibility: compatibility.Recorded(), Now: func() time.Time { return time.Unix(300, 0) },
	}
}
