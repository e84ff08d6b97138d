package main

import (
	"context"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/imageload"
)

// store opens the node's image store and lists its images.
func (t *tool) store(ctx context.Context) (imageload.Containerd, imageload.Inventory, error) {
	var none imageload.Containerd
	n, err := t.node()
	if err != nil {
		return none, nil, err
	}
	containerd, _, err := t.builder.Cache.Folder(assets.Containerd())
	if err != nil {
		return none, nil, err
	}
	images := n.Images(assets.Set{Containerd: containerd})
	inventory, err := images.Inventory(ctx)
	return images, inventory, err
}
