package ingressgateway

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// maxAnswer is the length of the longest answer of the API server that is published, in bytes. With it, the answers about gateway.MaxDedicatedOfMesh
// Gateways fit into the annotations of an object.
const maxAnswer = 300

var _ component.Reporter = Managed{}

// IsOfUser implements component.Reporter: labels, annotations and listeners of a Gateway shape its objects.
func (Managed) IsOfUser(name string) bool { return names.IsDedicatedGateway(name) }

// IsReport implements component.Reporter. The control plane reads the GatewayClass, and writes the status of Gateways.
func (Managed) IsReport(object *unstructured.Unstructured) bool {
	return object.GetKind() == "GatewayClass"
}

// Report implements component.Reporter.
func (Managed) Report(class *unstructured.Unstructured, rejections map[string]string) {
	if len(rejections) == 0 {
		return
	}
	short := make(map[string]string, len(rejections))
	for name, answer := range rejections {
		short[name] = message.Limit(answer, maxAnswer)
	}
	text, err := json.Marshal(short) // sorted by name
	if err != nil {
		return // texts always have a form in JSON
	}
	annotations := class.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[names.RejectedGatewaysAnnotation] = string(text)
	class.SetAnnotations(annotations)
}
