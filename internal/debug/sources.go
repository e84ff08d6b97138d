package debug

import (
	"context"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/snapshot"
)

// Store is the part of the snapshot Store that is shown. It is safe for concurrent use.
type Store interface {
	Proxies() []snapshot.Proxy
	Traces() []snapshot.Trace
	Offers(podUID string) ([]snapshot.Offer, error)
	Entries(ctx context.Context, kinds ...catalog.Kind) ([]catalog.Entry, error)
}

// Sources are what is shown. All fields are required.
type Sources struct {
	Store Store
	// Certificates lists the workloads' certificates.
	Certificates func() []certificate.Issued
	// MeshConfig is the one that is in force; nil when there is none.
	MeshConfig func() *configv1alpha2.MeshConfig
}
