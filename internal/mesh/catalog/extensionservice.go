package catalog

import "time"

// ExtensionService is a server outside the mesh that sidecars call (config.openservicemesh.io).
type ExtensionService struct {
	Name Name
	// Address is a DNS name or an IP address.
	Address string
	Port    uint16
	// HTTP1 is true if the server has HTTP/1.1 only. Otherwise it has HTTP/2 without TLS, as gRPC needs.
	HTTP1 bool
	// ConnectTimeout is 0 for the default.
	ConnectTimeout time.Duration
}

// Ref implements Entry.
func (s *ExtensionService) Ref() Ref { return Ref{KindExtensionService, s.Name} }

// Deps implements Entry.
func (s *ExtensionService) Deps(list []Dep) []Dep {
	return append(list, Dep{DepExtensionService, s.Name})
}

// ExtensionService returns the server that a policy in a namespace refers to; nil if there is none. It must be in the namespace of the
// policy or of the mesh, so that nobody else decides where sidecars send data.
func (v *View) ExtensionService(policyNamespace string, name Name) *ExtensionService {
	v.deps.add(DepExtensionService, name)
	if name.Namespace != policyNamespace && name.Namespace != v.Settings().Namespace {
		return nil
	}
	return Named[*ExtensionService](v, KindExtensionService, DepExtensionService, name)
}
