package catalog

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// ExtensionService is a server outside the mesh that sidecars call (config.openservicemesh.io).
type ExtensionService struct {
	Name entity.Name
	// Address is a DNS name or an IP address.
	Address string
	Port    uint16
	// HTTP1 is true if the server has HTTP/1.1 only. Otherwise it has HTTP/2 without TLS, as gRPC needs.
	HTTP1 bool
	// ConnectTimeout is 0 for the default.
	ConnectTimeout time.Duration
}

// Ref implements Entry.
func (s *ExtensionService) Ref() entity.Ref { return entity.KindExtensionService.Ref(s.Name) }

// Deps implements Entry.
func (s *ExtensionService) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.DepExtensionService.Of(s.Name))
}

// ExtensionService returns the server that a policy in a namespace refers to; nil if there is none. It must be in the namespace of the
// policy or of the mesh, so that nobody else decides where sidecars send data.
func (v *View) ExtensionService(policyNamespace string, name entity.Name) *ExtensionService {
	v.deps.Add(entity.DepExtensionService.Of(name))
	if name.Namespace != policyNamespace && name.Namespace != v.Settings().Namespace {
		return nil
	}
	return Named[*ExtensionService](v, entity.KindExtensionService, entity.DepExtensionService, name)
}
