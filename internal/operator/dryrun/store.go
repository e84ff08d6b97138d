package dryrun

import (
	"context"
	"fmt"
	"maps"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

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
