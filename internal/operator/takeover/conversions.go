package takeover

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
)

// noConversion is a merge patch that removes the conversion webhook.
const noConversion = `{"spec":{"conversion":{"strategy":"None","webhook":null}}}`

// Conversions repairs the definitions of kinds that OSM has left behind.
type Conversions struct {
	live   client.Reader
	writer client.Writer
	mu     sync.Mutex
	// plain are the generations of definitions without a conversion webhook. They are large, and need not be read again.
	plain map[types.UID]int64
}

// NewConversions returns a Conversions that reads from the API server.
func NewConversions(live client.Reader, writer client.Writer) *Conversions {
	return &Conversions{live: live, writer: writer, plain: map[types.UID]int64{}}
}

// Repair removes conversion webhooks that call a Service which does not exist, and returns the names of the repaired definitions. OSM
// up to v1.2.0 left webhooks of osm-bootstrap behind, and objects of such a kind cannot be listed, written or deleted. The versions of
// these kinds have the same fields, so they need no conversion.
func (c *Conversions) Repair(ctx context.Context) ([]string, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinitionList"))
	if err := c.live.List(ctx, list); err != nil {
		return nil, fmt.Errorf("the CustomResourceDefinitions cannot be listed: %w", err)
	}
	var repaired []string
	for i := range list.Items {
		if _, group, _ := strings.Cut(list.Items[i].Name, "."); !slices.Contains(groups, group) || c.isPlain(&list.Items[i]) {
			continue
		}
		done, err := c.repairOne(ctx, list.Items[i].Name)
		if err != nil {
			return repaired, err
		}
		if done {
			repaired = append(repaired, list.Items[i].Name)
		}
	}
	return repaired, nil
}

// RepairFor is Repair with an Event about the Mesh for which it is done.
func (c *Conversions) RepairFor(ctx context.Context, mesh *v1alpha1.Mesh, recorder events.EventRecorder) error {
	repaired, err := c.Repair(ctx)
	if len(repaired) > 0 {
		recorder.Eventf(mesh, nil, corev1.EventTypeNormal, "Adopted", "RepairConversion",
			"the conversion webhook of %s was taken out of the definitions: its Service does not exist", strings.Join(repaired, ", "))
	}
	return err
}

// repairOne repairs a definition, and reports whether it was necessary.
func (c *Conversions) repairOne(ctx context.Context, name string) (bool, error) {
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := c.live.Get(ctx, client.ObjectKey{Name: name}, definition); apierrors.IsNotFound(err) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("the CustomResourceDefinition %s cannot be read: %w", name, err)
	}
	service := conversionService(definition)
	if service == nil {
		c.recordPlain(definition)
		return false, nil
	}
	if exists, err := serviceExists(ctx, c.live, service.Namespace, service.Name); err != nil || exists {
		return false, err
	}
	patch := client.RawPatch("application/merge-patch+json", []byte(noConversion))
	if err := c.writer.Patch(ctx, definition, patch, client.FieldOwner(apply.FieldManager)); err != nil {
		return false, fmt.Errorf("the CustomResourceDefinition %s has a conversion webhook without a Service, and cannot be repaired: %w", name, err)
	}
	return true, nil
}

func (c *Conversions) isPlain(definition client.Object) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	generation, known := c.plain[definition.GetUID()]
	return known && generation == definition.GetGeneration()
}

func (c *Conversions) recordPlain(definition client.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plain[definition.GetUID()] = definition.GetGeneration()
}

// conversionService is the Service that the conversion webhook of a definition calls; nil for none.
func conversionService(definition *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.ServiceReference {
	conversion := definition.Spec.Conversion
	if conversion == nil || conversion.Webhook == nil || conversion.Webhook.ClientConfig == nil {
		return nil
	}
	return conversion.Webhook.ClientConfig.Service
}
