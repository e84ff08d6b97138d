package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
)

// Client is a client.Client of the rehearsal.
type Client struct {
	*Cluster
	base client.Reader
}

var _ client.Client = (*Client)(nil)

// Over is a client that reads what is unchanged from base.
func (c *Cluster) Over(base client.Reader) *Client { return &Client{c, base} }

// Apply merges an object into the one that exists, or makes it.
func (c *Client) Apply(ctx context.Context, configuration runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
	text, err := json.Marshal(configuration)
	if err != nil {
		return err
	}
	desired := &unstructured.Unstructured{}
	if err := desired.UnmarshalJSON(text); err != nil {
		return err
	}
	gvk, name := desired.GroupVersionKind(), client.ObjectKeyFromObject(desired)
	before, err := c.current(ctx, gvk, name)
	if err != nil {
		return err
	}
	k := key{gvk.GroupKind(), name}
	now := apply.Merge(desired.Object, before)
	var own tree
	var others []tree
	if before == nil {
		c.born(now)
	} else {
		own, others, err = c.owned(ctx, k, gvk)
		if err != nil {
			return err
		}
		now = runtime.DeepCopyJSON(now)
		giveUp(now, desired.Object, own, others)
		aged(before, now)
	}
	c.put(k, gvk, before, now, true)
	if o := c.objects[k]; o != nil {
		o.own, o.others = treeOf(desired.Object), others
		if o.applied == "" {
			o.applied = desired.GetAnnotations()[apply.HashAnnotation]
		}
	}
	return nil
}

// owned are the fields of an object that the operator has applied, and those of others: as the API server has them, or as they were
// applied in the rehearsal.
func (c *Client) owned(ctx context.Context, k key, gvk schema.GroupVersionKind) (own tree, others []tree, err error) {
	if o := c.objects[k]; o != nil && o.own != nil {
		return o.own, o.others, nil
	}
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(gvk)
	if err := c.live.Get(ctx, k.NamespacedName, object); err != nil {
		return nil, nil, client.IgnoreNotFound(err)
	}
	own, others = ownedBy(object.ManagedFields)
	return own, others, nil
}

// Create makes an object.
func (c *Client) Create(ctx context.Context, object client.Object, _ ...client.CreateOption) error {
	gvk, content, err := c.content(object)
	if err != nil {
		return err
	}
	name := client.ObjectKeyFromObject(object)
	before, err := c.current(ctx, gvk, name)
	if err != nil {
		return err
	}
	if before != nil {
		return apierrors.NewAlreadyExists(schema.GroupResource{Group: gvk.Group, Resource: gvk.Kind}, name.Name)
	}
	c.born(content)
	c.put(key{gvk.GroupKind(), name}, gvk, nil, content, true)
	return fill(object, content)
}

// Update replaces an object, but for its status.
func (c *Client) Update(ctx context.Context, object client.Object, _ ...client.UpdateOption) error {
	_, content, err := c.content(object)
	if err != nil {
		return err
	}
	return c.change(ctx, object, func(map[string]any) (map[string]any, error) { return content, nil }, false)
}

// Patch changes an object by a merge patch, but for its status.
func (c *Client) Patch(ctx context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	return c.change(ctx, object, merging(object, patch), false)
}

// Delete takes an object away. Nothing that waits for its end is played: it is gone.
func (c *Client) Delete(ctx context.Context, object client.Object, _ ...client.DeleteOption) error {
	gvk, before, err := c.existing(ctx, object)
	if err != nil {
		return err
	}
	c.put(key{gvk.GroupKind(), client.ObjectKeyFromObject(object)}, gvk, before, nil, true)
	return nil
}

// DeleteAllOf is not rehearsed: the operator deletes what it knows, one by one.
func (c *Client) DeleteAllOf(context.Context, client.Object, ...client.DeleteAllOfOption) error {
	return fmt.Errorf("a rehearsal does not delete all objects of a kind")
}

// content is an object as its JSON would be.
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

// existing is an object as it is now. That there is none is an error, as the API server's would be.
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

// change changes an object that exists: its status alone, or all but its status. The object gets the result.
func (c *Client) change(ctx context.Context, object client.Object, edit func(map[string]any) (map[string]any, error), status bool) error {
	gvk, before, err := c.existing(ctx, object)
	if err != nil {
		return err
	}
	edited, err := edit(runtime.DeepCopyJSON(before))
	if err != nil {
		return err
	}
	from, to := edited, before
	if status {
		from, to = before, edited
	}
	now := maps.Clone(from)
	delete(now, "status")
	if kept, has := to["status"]; has {
		now["status"] = kept
	}
	aged(before, now)
	c.put(key{gvk.GroupKind(), client.ObjectKeyFromObject(object)}, gvk, before, now, !status)
	return fill(object, now)
}

// merging is the edit that a merge patch makes.
func merging(object client.Object, patch client.Patch) func(map[string]any) (map[string]any, error) {
	return func(before map[string]any) (map[string]any, error) {
		if patch.Type() != types.MergePatchType {
			return nil, fmt.Errorf("a rehearsal knows merge patches only, and this one is a %s", patch.Type())
		}
		data, err := patch.Data(object)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(before)
		if err != nil {
			return nil, err
		}
		merged, err := jsonpatch.MergePatch(text, data)
		if err != nil {
			return nil, err
		}
		after := map[string]any{}
		return after, utiljson.Unmarshal(merged, &after)
	}
}

// Status changes the status of objects.
func (c *Client) Status() client.SubResourceWriter { return &subresource{client: c, status: true} }

// SubResource is Status for the subresource of that name; no other is rehearsed.
func (c *Client) SubResource(name string) client.SubResourceClient {
	return &subresource{client: c, status: name == "status"}
}

// Scheme are the kinds that the client knows.
func (c *Client) Scheme() *runtime.Scheme { return c.scheme }

// RESTMapper says where kinds are served.
func (c *Client) RESTMapper() meta.RESTMapper { return c.mapper }

// GroupVersionKindFor is the kind of an object.
func (c *Client) GroupVersionKindFor(object runtime.Object) (schema.GroupVersionKind, error) {
	return apiutil.GVKForObject(object, c.scheme)
}

// IsObjectNamespaced says whether objects of a kind live in namespaces.
func (c *Client) IsObjectNamespaced(object runtime.Object) (bool, error) {
	return apiutil.IsObjectNamespaced(object, c.scheme, c.mapper)
}
