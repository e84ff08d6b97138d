package dryrun

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	builtin "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// customResourceSchema merges maps by key and replaces lists, except for the lists that have keys in every custom resource.
const customResourceSchema = `types:
- name: atomic
  scalar: untyped
  list: {elementType: {namedType: atomic}, elementRelationship: atomic}
  map: {elementType: {namedType: atomic}, elementRelationship: atomic}
- name: deduced
  scalar: untyped
  list: {elementType: {namedType: atomic}, elementRelationship: atomic}
  map: {elementType: {namedType: deduced}, elementRelationship: separable}
- name: metadata
  map:
    fields:
    - name: finalizers
      type: {list: {elementType: {scalar: string}, elementRelationship: associative}}
    - name: ownerReferences
      type: {list: {elementType: {namedType: deduced}, elementRelationship: associative, keys: [uid]}}
    elementType: {namedType: deduced}
- name: status
  map:
    fields:
    - name: conditions
      type: {list: {elementType: {namedType: deduced}, elementRelationship: associative, keys: [type]}}
    elementType: {namedType: deduced}
- name: customResource
  map:
    fields:
    - {name: metadata, type: {namedType: metadata}}
    - {name: status, type: {namedType: status}}
    elementType: {namedType: deduced}
`

// typeConverter has the schemas of all kinds.
type typeConverter struct {
	managedfields.TypeConverter
	builtin        *runtime.Scheme
	customResource typed.ParseableType
}

// schemas are parsed by the first dry run.
var schemas = sync.OnceValues(func() (*typeConverter, error) {
	parser, err := typed.NewParser(customResourceSchema)
	if err != nil {
		return nil, fmt.Errorf("the schema of custom resources is invalid: %w", err)
	}
	// The scheme of client-go is shared: others add kinds to it that client-go has no schemas for.
	own := runtime.NewScheme()
	if err := builtin.AddToScheme(own); err != nil {
		return nil, fmt.Errorf("the built-in kinds cannot be registered: %w", err)
	}
	return &typeConverter{applyconfigurations.NewTypeConverter(own), own, parser.Type("customResource")}, nil
})

// ObjectToTyped implements managedfields.TypeConverter. Every object is unstructured.
func (c *typeConverter) ObjectToTyped(object runtime.Object, opts ...typed.ValidationOptions) (*typed.TypedValue, error) {
	custom, ok := object.(*unstructured.Unstructured)
	if !ok || c.builtin.Recognizes(custom.GroupVersionKind()) {
		return c.TypeConverter.ObjectToTyped(object, opts...)
	}
	return c.customResource.FromUnstructured(custom.Object, opts...)
}

// newFieldManager returns the code by which the API server merges configurations and tracks who owns which field.
func newFieldManager(kind schema.GroupVersionKind, subresource string) (*managedfields.FieldManager, error) {
	converter, err := schemas()
	if err != nil {
		return nil, err
	}
	return managedfields.NewDefaultCRDFieldManager(converter, oneVersion{}, oneVersion{}, oneVersion{}, kind, kind.GroupVersion(), subresource, nil)
}

// oneVersion leaves unstructured objects as they are: a dry run reads and writes each kind in one version, without defaults.
type oneVersion struct{ runtime.ObjectConvertor }

// ConvertToVersion returns the object unchanged.
func (oneVersion) ConvertToVersion(object runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return object, nil
}

// Default sets no defaults.
func (oneVersion) Default(runtime.Object) {}

// New returns an empty unstructured object of the kind.
func (oneVersion) New(kind schema.GroupVersionKind) (runtime.Object, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	return object, nil
}

// subresource writes the status of objects.
type subresource struct {
	client *Client
	status bool
}

// errSubresource rejects requests that no controller of the operator makes.
var errSubresource = errors.New("a dry run supports no subresource but the status, which can be applied, patched and updated")

// Apply merges a configuration into the status of an existing object.
func (s *subresource) Apply(ctx context.Context, configuration runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
	if !s.status {
		return errSubresource
	}
	options := (&client.SubResourceApplyOptions{}).ApplyOpts(opts)
	return s.client.apply(ctx, configuration, write{options.FieldManager, true}, ptr.Deref(options.Force, false))
}

// Patch changes the status with a merge patch.
func (s *subresource) Patch(ctx context.Context, object client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	if !s.status {
		return errSubresource
	}
	return s.client.patch(ctx, object, patch, write{(&client.SubResourcePatchOptions{}).ApplyOptions(opts).FieldManager, true})
}

// Update replaces the status.
func (s *subresource) Update(ctx context.Context, object client.Object, opts ...client.SubResourceUpdateOption) error {
	if !s.status {
		return errSubresource
	}
	return s.client.update(ctx, object, write{(&client.SubResourceUpdateOptions{}).ApplyOptions(opts).FieldManager, true})
}

// Create is not supported.
func (s *subresource) Create(context.Context, client.Object, client.Object, ...client.SubResourceCreateOption) error {
	return errSubresource
}

// Get is not supported.
func (s *subresource) Get(context.Context, client.Object, client.Object, ...client.SubResourceGetOption) error {
	return errSubresource
}
