package validate

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// sidecarClasses validates which namespaces may have classes of sidecars.
func sidecarClasses(classes []configv1alpha2.SidecarClass, found *ingest.Problems) {
	for _, class := range classes {
		if _, err := metav1.LabelSelectorAsSelector(class.NamespaceSelector); err != nil {
			found.Reject(ingest.ReasonMalformed, "The namespaceSelector of the class %.63q in spec.sidecar.classes is not a label selector: %v.", class.Name, err)
		}
	}
}
