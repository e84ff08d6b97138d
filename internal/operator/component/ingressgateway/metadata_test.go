package ingressgateway_test

import (
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/operator/component/ingressgateway"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestMetadataOfGatewaysNeedsPermission checks that owners of Gateways configure no load balancer and no DNS name from the namespace of the mesh, unless
// the Mesh allows the key.
func TestMetadataOfGatewaysNeedsPermission(t *testing.T) {
	objects, err := render(t, mesh(perGateway), release(t, "v9.9.9"), gatewayOf("shop", "web", map[string]any{
		"external-dns.alpha.kubernetes.io/hostname": "pay.bank.example", "service.beta.kubernetes.io/load-balancer-source-ranges": "0.0.0.0/0", "team": "mine",
	}, 80))
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		for _, field := range []string{"labels", "annotations"} {
			all, _, _ := unstructured.NestedStringMap(object.Object, "metadata", field)
			for _, key := range []string{"external-dns.alpha.kubernetes.io/hostname", "service.beta.kubernetes.io/load-balancer-source-ranges"} {
				if all[key] != "" {
					t.Errorf("the %s has the %s %s=%s of the Gateway", object.GetKind(), field, key, all[key])
				}
			}
			if all["team"] == "mine" {
				t.Errorf("the %s has the team of the Gateway", object.GetKind())
			}
		}
	}
}

// TestClassHasPermittedMetadata checks that the control plane reads which labels and annotations reach the Service, so that the status of a Gateway says it.
func TestClassHasPermittedMetadata(t *testing.T) {
	settings := *perGateway.DeepCopy()
	settings.Service.AllowedMetadata = []string{"team", "example.com/"}
	objects, err := render(t, mesh(settings), release(t, "v9.9.9"))
	if err != nil {
		t.Fatal(err)
	}
	class := objects[len(objects)-1]
	if got := class.GetAnnotations()[names.AllowedMetadataAnnotation]; class.GetKind() != "GatewayClass" || got != "example.com/,team" {
		t.Errorf("the %s has the permitted metadata %q", class.GetKind(), got)
	}
}

// TestAnswersOfManyGatewaysFit checks that the answers of the API server about as many Gateways as a mesh can have fit into one annotation.
func TestAnswersOfManyGatewaysFit(t *testing.T) {
	rejections := map[string]string{}
	for i := range gateway.MaxDedicatedOfMesh {
		rejections[names.DedicatedGateway("shop", strings.Repeat("g", 200)+strconv.Itoa(i))] = strings.Repeat("\u00fc", 5000)
	}
	class := &unstructured.Unstructured{}
	ingressgateway.Managed{}.Report(class, rejections)
	if text := class.GetAnnotations()[names.RejectedGatewaysAnnotation]; len(text) > 200<<10 || len(text) < 100<<10 {
		t.Errorf("the annotation has %d bytes, and an object may have 256 KiB of them", len(text))
	}
	none := &unstructured.Unstructured{}
	if (ingressgateway.Managed{}).Report(none, nil); len(none.Object) > 0 {
		t.Errorf("without rejections the report is %v", none.Object)
	}
}
