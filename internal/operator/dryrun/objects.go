package dryrun

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
)

// Get reads an object of the simulated cluster.
func (c *Client) Get(ctx context.Context, name client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	gvk, err := apiutil.GVKForObject(into, c.scheme)
	if err != nil {
		return err
	}
	changed := c.objects[key{gvk.GroupKind(), name}]
	if changed == nil {
		err := c.base.Get(ctx, name, into, opts...)
		if _, applied := into.GetAnnotations()[apply.HashAnnotation]; err == nil && applied {
			c.seen[key{gvk.GroupKind(), name}] = true
		}
		return err
	}
	if changed.now == nil {
		return notFound(gvk, name)
	}
	return fill(into, changed.now)
}

func notFound(gvk schema.GroupVersionKind, name client.ObjectKey) error {
	return apierrors.NewNotFound(schema.GroupResource{Group: gvk.Group, Resource: strings.ToLower(gvk.Kind)}, name.Name)
}

// fill decodes content into a typed or unstructured object.
func fill(into runtime.Object, content map[string]any) error {
	content = runtime.DeepCopyJSON(content)
	if u, ok := into.(*unstructured.Unstructured); ok {
		u.Object = content
		return nil
	}
	value := reflect.ValueOf(into).Elem()
	value.Set(reflect.Zero(value.Type()))
	return runtime.DefaultUnstructuredConverter.FromUnstructured(content, into)
}

// List lists objects of the simulated cluster. A field selector applies to unchanged objects only.
func (c *Client) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	gvk, err := apiutil.GVKForObject(list, c.scheme)
	if err != nil {
		return err
	}
	gvk.Kind = strings.TrimSuffix(gvk.Kind, "List")
	if err := c.base.List(ctx, list, opts...); err != nil {
		return err
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		return err
	}
	var merged []runtime.Object
	for _, item := range items {
		accessor, err := meta.Accessor(item)
		if err != nil {
			return err
		}
		if c.objects[key{gvk.GroupKind(), client.ObjectKey{Namespace: accessor.GetNamespace(), Name: accessor.GetName()}}] == nil {
			merged = append(merged, item)
		}
	}
	options := &client.ListOptions{}
	options.ApplyOptions(opts)
	for _, k := range c.order {
		if k.GroupKind != gvk.GroupKind() || !isSelected(c.objects[k].now, options) {
			continue
		}
		item := newItem(list)
		if err := fill(item, c.objects[k].now); err != nil {
			return err
		}
		merged = append(merged, item)
	}
	return meta.SetList(list, merged)
}

// isSelected reports whether an object matches list options.
func isSelected(content map[string]any, options *client.ListOptions) bool {
	if content == nil {
		return false
	}
	u := &unstructured.Unstructured{Object: content}
	if options.Namespace != "" && u.GetNamespace() != options.Namespace {
		return false
	}
	return options.LabelSelector == nil || options.LabelSelector.Matches(labels.Set(u.GetLabels()))
}

// newItem returns an empty item of a list.
func newItem(list client.ObjectList) runtime.Object {
	if _, ok := list.(*unstructured.UnstructuredList); ok {
		return &unstructured.Unstructured{}
	}
	return reflect.New(reflect.ValueOf(list).Elem().FieldByName("Items").Type().Elem()).Interface().(runtime.Object)
}

// current is the content of an object in the simulated cluster, or nil. An unchanged object is read live, because a cache may lack an object that
// exists, and has no managed fields.
func (c *Cluster) current(ctx context.Context, gvk schema.GroupVersionKind, name client.ObjectKey) (map[string]any, error) {
	if changed := c.objects[key{gvk.GroupKind(), name}]; changed != nil {
		return changed.now, nil
	}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(gvk)
	if err := c.live.Get(ctx, name, object); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return object.Object, nil
}

// IsChanged reports whether an object was created, changed or deleted in the simulated cluster.
func (c *Client) IsChanged(named client.Object) bool {
	gvk, err := apiutil.GVKForObject(named, c.scheme)
	return err == nil && c.objects[key{gvk.GroupKind(), client.ObjectKeyFromObject(named)}] != nil
}

// content is an object as unstructured content.
func (c *Client) content(object client.Object) (schema.GroupVersionKind, map[string]any, error) {
	gvk, err := apiutil.GVKForObject(object, c.scheme)
	if err != nil {
		return gvk, nil, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return gvk, nil, err
	}
	content["apiVersion"], content["kind"] = gvk.GroupVersion().String(), gvk.Kind
	return gvk, content, nil
}

// existing is the current content of an object, or a NotFound error.
func (c *Client) existing(ctx context.Context, object client.Object) (schema.GroupVersionKind, map[string]any, error) {
	gvk, err := apiutil.GVKForObject(object, c.scheme)
	if err != nil {
		return gvk, nil, err
	}
	name := client.ObjectKeyFromObject(object)
	before, err := c.current(ctx, gvk, name)
	if err == nil && before == nil {
		err = notFound(gvk, name)
	}
	return gvk, before, err
}

// change changes an existing object, and writes the result into it.
func (c *Client) change(ctx context.Context, object client.Object, w write, edit func(map[string]any) (map[string]any, error)) error {
	gvk, before, err := c.existing(ctx, object)
	if err != nil {
		return err
	}
	edited, err := edit(runtime.DeepCopyJSON(before))
	if err != nil {
		return err
	}
	return c.replace(object, gvk, before, edited, w)
}

// replace stores new content of an object, and writes the result into it.
func (c *Client) replace(object client.Object, gvk schema.GroupVersionKind, before, edited map[string]any, w write) error {
	manager, err := newFieldManager(gvk, w.subresource())
	if err != nil {
		return err
	}
	live := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(before)}
	live.SetGroupVersionKind(gvk)
	updated, err := manager.Update(live, &unstructured.Unstructured{Object: c.limit(before, edited, w)}, w.manager)
	if err != nil {
		return err
	}
	name := client.ObjectKeyFromObject(object)
	if err := c.store(gvk, name, before, updated, w, ""); err != nil {
		return err
	}
	if o := c.objects[key{gvk.GroupKind(), name}]; o != nil {
		return fill(object, o.now)
	}
	return fill(object, before)
}

// limit is an object of which only what the write may change is changed.
func (c *Client) limit(before, after map[string]any, w write) map[string]any {
	if before == nil {
		return after
	}
	spec, status := after, before
	if w.status {
		spec, status = before, after
	}
	limited := maps.Clone(spec)
	delete(limited, "status")
	if content, ok := status["status"]; ok {
		limited["status"] = content
	}
	return limited
}

// store keeps a written object. hash is that of the operator's Applier, if it wrote the object.
func (c *Client) store(gvk schema.GroupVersionKind, name client.ObjectKey, before map[string]any, written runtime.Object, w write, hash string) error {
	after, ok := written.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("the merged object is a %T", written)
	}
	now := c.limit(before, after.Object, w)
	(&unstructured.Unstructured{Object: now}).SetManagedFields(after.GetManagedFields())
	if before == nil {
		c.initialize(now)
	} else {
		updateGeneration(before, now)
	}
	k := key{gvk.GroupKind(), name}
	c.put(k, gvk, before, now, !w.status)
	if o := c.objects[k]; o != nil && o.applied == "" {
		o.applied = hash
	}
	return nil
}

func patchJSON(kind types.PatchType, document, patch []byte) ([]byte, error) {
	switch kind {
	case types.MergePatchType:
		return jsonpatch.MergePatch(document, patch)
	case types.JSONPatchType:
		operations, err := jsonpatch.DecodePatch(patch)
		if err != nil {
			return nil, err
		}
		return operations.Apply(document)
	}
	return nil, fmt.Errorf("a dry run does not support patches of type %s", kind)
}
