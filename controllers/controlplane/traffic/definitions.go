package traffic

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Definitions finds out which kinds the cluster defines, and waits for those that it does not define yet.
type Definitions struct {
	mapper meta.RESTMapper
	// reader reads from the API server, not from a cache.
	reader client.Reader

	// started is when the looks began.
	started time.Time

	mu sync.Mutex
	// changed is closed by the next change of a definition. changes has the time of the latest one of each name, and is empty before the first list.
	changed chan struct{}
	changes map[string]time.Time
}

// NewDefinitions returns the definitions of a cluster. reader reads from the API server, not from a cache.
func NewDefinitions(mapper meta.RESTMapper, reader client.Reader) *Definitions {
	return &Definitions{mapper: mapper, reader: reader, started: time.Now(), changed: make(chan struct{}), changes: map[string]time.Time{}}
}

// IsDefined reports whether the discovery of the cluster has a kind. It is false if the discovery fails.
func (d *Definitions) IsDefined(kind schema.GroupVersionKind) bool {
	_, err := d.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	return err == nil
}

var definitionKind = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}

// Has reports whether the cluster defines a kind. Discovery can be incomplete, so its absence counts only if the
// CustomResourceDefinition does not serve the kind either. The error means that the answer is not known yet.
func (d *Definitions) Has(ctx context.Context, kind schema.GroupVersionKind) (bool, error) {
	_, err := d.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err == nil {
		return true, nil
	}
	if !meta.IsNoMatchError(err) {
		return false, fmt.Errorf("the discovery of %s fails: %w", kind.Kind, err)
	}
	definition := &unstructured.Unstructured{}
	definition.SetGroupVersionKind(definitionKind)
	name := definitionName(kind)
	err = d.reader.Get(ctx, client.ObjectKey{Name: name}, definition)
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("the CustomResourceDefinition %s cannot be read: %w", name, err)
	case serves(definition, kind.Version):
		return false, fmt.Errorf("the CustomResourceDefinition %s serves %s, but the discovery lacks it", name, kind.Version)
	}
	return false, nil
}

// definitionName returns the name of the CustomResourceDefinition of a kind.
func definitionName(kind schema.GroupVersionKind) string {
	plural, _ := meta.UnsafeGuessKindToResource(kind)
	if stem, found := strings.CutSuffix(strings.ToLower(kind.Kind), "ay"); found {
		// The guess is wrong for y after a vowel, which remains.
		plural.Resource = stem + "ays"
	}
	return plural.Resource + "." + kind.Group
}

// serves reports whether a CustomResourceDefinition is established and serves a version.
func serves(definition *unstructured.Unstructured, version string) bool {
	return hasItem(definition, "type", "Established", "status", "True", "status", "conditions") &&
		hasItem(definition, "name", version, "served", true, "spec", "versions")
}

// hasItem reports whether a list has an item with two fields of the given values.
func hasItem(object *unstructured.Unstructured, firstKey, firstValue, secondKey string, secondValue any, path ...string) bool {
	items, _, _ := unstructured.NestedSlice(object.Object, path...)
	for _, item := range items {
		if fields, ok := item.(map[string]any); ok && fields[firstKey] == firstValue && fields[secondKey] == secondValue {
			return true
		}
	}
	return false
}
