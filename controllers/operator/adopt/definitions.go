package adopt

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// groups are those of the kinds that OSM defines or uses.
var groups = []string{
	"config.openservicemesh.io", "policy.openservicemesh.io", "access.smi-spec.io", "specs.smi-spec.io", "split.smi-spec.io",
}

// noConversion is what versions of a kind that have the same fields need.
const noConversion = `{"spec":{"conversion":{"strategy":"None","webhook":null}}}`

// RepairConversions makes the kinds readable again whose definitions ask a Service for conversion that does not exist. Up to v1.2.0
// OSM had all of its kinds converted by osm-bootstrap, and left that behind: nothing of such a kind can be listed then, written or
// deleted. No version of these kinds needs more than another name of its version. It returns the definitions that it changed.
func RepairConversions(ctx context.Context, live client.Reader, writer client.Writer) ([]string, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinitionList"))
	if err := live.List(ctx, list); err != nil {
		return nil, fmt.Errorf("the definitions of the cluster cannot be listed: %w", err)
	}
	var repaired []string
	for i := range list.Items {
		name := list.Items[i].Name
		if _, group, _ := strings.Cut(name, "."); !slices.Contains(groups, group) {
			continue
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := live.Get(ctx, client.ObjectKey{Name: name}, definition); apierrors.IsNotFound(err) {
			continue
		} else if err != nil {
			return repaired, fmt.Errorf("the definition %s cannot be read: %w", name, err)
		}
		dead, err := unconvertible(ctx, live, definition)
		if err != nil {
			return repaired, err
		}
		if !dead {
			continue
		}
		patch := client.RawPatch("application/merge-patch+json", []byte(noConversion))
		if err := writer.Patch(ctx, definition, patch, client.FieldOwner(apply.FieldManager)); err != nil {
			return repaired, fmt.Errorf("the definition %s asks a Service for conversion that does not exist, and cannot be corrected: %w", name, err)
		}
		repaired = append(repaired, name)
	}
	return repaired, nil
}

// unconvertible says whether a definition asks a Service for conversion that does not exist.
func unconvertible(ctx context.Context, live client.Reader, definition *apiextensionsv1.CustomResourceDefinition) (bool, error) {
	conversion := definition.Spec.Conversion
	if conversion == nil || conversion.Webhook == nil || conversion.Webhook.ClientConfig == nil || conversion.Webhook.ClientConfig.Service == nil {
		return false, nil
	}
	service := conversion.Webhook.ClientConfig.Service
	alive, err := answers(ctx, live, service.Namespace, service.Name)
	return !alive, err
}

// IsOSMs says whether OSM has made a definition: it labels all of them, those of the Service Mesh Interface too.
func IsOSMs(definition client.Object) bool {
	return definition.GetLabels()[names.NameLabel] == names.AppName
}
