package cli

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// The field of the Mesh takes precedence over MeshRootCertificates, so it is not set while they declare another root than OSM's default.
func TestDeclaredRootsAreNotReplacedByTheField(t *testing.T) {
	for name, test := range map[string]struct {
		secret string
		role   configv1alpha2.RootRole
		want   string
	}{
		"the root that OSM declares": {names.CABundleSecret, "", ""},
		"another root":               {"osm-ca-bundle-1", configv1alpha2.RolePassive, "the MeshRootCertificate osm-system/root declares a root of this mesh"},
		"an inactive one":            {"osm-ca-bundle-1", configv1alpha2.RoleInactive, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := &configv1alpha2.MeshRootCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "root"}}
			root.Spec.Role = test.role
			root.Spec.Provider.Tresor = &configv1alpha2.TresorProvider{CA: configv1alpha2.TresorCA{SecretRef: corev1.SecretReference{Name: test.secret}}}
			scheme := runtime.NewScheme()
			if err := configv1alpha2.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			err := (&app{}).checkDeclaredRoots(t.Context(), fake.NewClientBuilder().WithScheme(scheme).WithObjects(root).Build(), "osm-system")
			if got := errorText(err); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
				t.Errorf("the error is %q, want %q", got, test.want)
			}
		})
	}
}
