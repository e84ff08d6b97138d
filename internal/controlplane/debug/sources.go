package debug

import (
	"context"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// Store provides the proxies and resources of the snapshot store. It is safe for concurrent use.
type Store interface {
	Proxies() []status.Proxy
	Traces() []status.Trace
	Resources(podUID string) ([]snapshot.ConfiguredResource, error)
	Entries(ctx context.Context, kinds ...catalog.Kind) ([]catalog.Entry, error)
}

// Sources provides the data of the debug pages. All fields are required.
type Sources struct {
	Store Store
	// Certificates returns the certificates of workloads.
	Certificates func() []certificate.Info
	// MeshConfig returns the active MeshConfig, or nil.
	MeshConfig func() *configv1alpha2.MeshConfig
}
