package dryrun

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

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
