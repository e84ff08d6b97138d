package dryrun

import (
	"context"
	"encoding/json"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
)

// Client is a client.Client of the simulated cluster.
type Client struct {
	*Cluster
	base client.Reader
}

var _ client.Client = (*Client)(nil)

// Client returns a client that reads unchanged objects from base.
func (c *Cluster) Client(base client.Reader) *Client { return &Client{c, base} }

// write is one change of an object.
type write struct {
	// manager is the field manager.
	manager string
	// status is true for a write to the subresource: it changes nothing else, and other writes do not change the status.
	status bool
}

func (w write) subresource() string {
	if w.status {
		return "status"
	}
	return ""
}

// Apply merges a configuration into an object, or creates the object.
func (c *Client) Apply(ctx context.Context, configuration runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	options := (&client.ApplyOptions{}).ApplyOptions(opts)
	return c.apply(ctx, configuration, write{manager: options.FieldManager}, ptr.Deref(options.Force, false))
}

func (c *Client) apply(ctx context.Context, configuration runtime.ApplyConfiguration, w write, force bool) error {
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
	if before == nil && w.status {
		return notFound(gvk, name)
	}
	live := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(before)}
	live.SetGroupVersionKind(gvk)
	manager, err := newFieldManager(gvk, w.subresource())
	if err != nil {
		return err
	}
	merged, err := manager.Apply(live, desired.DeepCopy(), w.manager, force)
	if err != nil {
		return err
	}
	hash := desired.GetAnnotations()[apply.HashAnnotation]
	return c.store(gvk, name, before, merged, w, hash)
}

// Create creates an object.
func (c *Client) Create(ctx context.Context, object client.Object, opts ...client.CreateOption) error {
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
	return c.replace(object, gvk, nil, content, write{manager: (&client.CreateOptions{}).ApplyOptions(opts).FieldManager})
}

// Update replaces everything of an object but its status.
func (c *Client) Update(ctx context.Context, object client.Object, opts ...client.UpdateOption) error {
	return c.update(ctx, object, write{manager: (&client.UpdateOptions{}).ApplyOptions(opts).FieldManager})
}

func (c *Client) update(ctx context.Context, object client.Object, w write) error {
	_, content, err := c.content(object)
	if err != nil {
		return err
	}
	return c.change(ctx, object, w, func(map[string]any) (map[string]any, error) { return content, nil })
}

// Patch changes an object with a merge patch or a JSON patch, except for its status.
func (c *Client) Patch(ctx context.Context, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
	return c.patch(ctx, object, patch, write{manager: (&client.PatchOptions{}).ApplyOptions(opts).FieldManager})
}

func (c *Client) patch(ctx context.Context, object client.Object, patch client.Patch, w write) error {
	return c.change(ctx, object, w, func(before map[string]any) (map[string]any, error) {
		data, err := patch.Data(object)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(before)
		if err != nil {
			return nil, err
		}
		patched, err := patchJSON(patch.Type(), text, data)
		if err != nil {
			return nil, err
		}
		after := map[string]any{}
		return after, utiljson.Unmarshal(patched, &after)
	})
}

// Delete removes an object at once, whatever its finalizers.
func (c *Client) Delete(ctx context.Context, object client.Object, _ ...client.DeleteOption) error {
	gvk, before, err := c.existing(ctx, object)
	if err != nil {
		return err
	}
	c.put(key{gvk.GroupKind(), client.ObjectKeyFromObject(object)}, gvk, before, nil, true)
	return nil
}

// DeleteAllOf is not supported: the operator deletes objects one by one.
func (c *Client) DeleteAllOf(context.Context, client.Object, ...client.DeleteAllOfOption) error {
	return errors.New("a dry run does not delete collections")
}

// Status writes the status of objects.
func (c *Client) Status() client.SubResourceWriter { return &subresource{client: c, status: true} }

// SubResource supports the status only.
func (c *Client) SubResource(name string) client.SubResourceClient {
	return &subresource{client: c, status: name == "status"}
}

// Scheme returns the scheme of the client.
func (c *Client) Scheme() *runtime.Scheme { return c.scheme }

// RESTMapper returns the mapper of the client.
func (c *Client) RESTMapper() meta.RESTMapper { return c.mapper }

// GroupVersionKindFor returns the kind of an object.
func (c *Client) GroupVersionKindFor(object runtime.Object) (schema.GroupVersionKind, error) {
	return apiutil.GVKForObject(object, c.scheme)
}

// IsObjectNamespaced reports whether objects of a kind are namespaced.
func (c *Client) IsObjectNamespaced(object runtime.Object) (bool, error) {
	return apiutil.IsObjectNamespaced(object, c.scheme, c.mapper)
}
