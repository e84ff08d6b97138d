package rehearsal

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// subresource writes the status of objects in the rehearsal.
type subresource struct {
	client *Client
	status bool
}

// errSubresource is the answer to whatever nobody does.
var errSubresource = errors.New("a rehearsal knows no subresource but the status, which is patched and updated")

// Patch changes the status.
func (s *subresource) Patch(ctx context.Context, object client.Object, patch client.Patch, _ ...client.SubResourcePatchOption) error {
	if !s.status {
		return errSubresource
	}
	return s.client.change(ctx, object, merging(object, patch), true)
}

// Update replaces the status.
func (s *subresource) Update(ctx context.Context, object client.Object, _ ...client.SubResourceUpdateOption) error {
	if !s.status {
		return errSubresource
	}
	_, content, err := s.client.content(object)
	if err != nil {
		return err
	}
	return s.client.change(ctx, object, func(map[string]any) (map[string]any, error) { return content, nil }, true)
}

// Create is not rehearsed.
func (s *subresource) Create(context.Context, client.Object, client.Object, ...client.SubResourceCreateOption) error {
	return errSubresource
}

// Apply is not rehearsed.
func (s *subresource) Apply(context.Context, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
	return errSubresource
}

// Get is not rehearsed.
func (s *subresource) Get(context.Context, client.Object, client.Object, ...client.SubResourceGetOption) error {
	return errSubresource
}
