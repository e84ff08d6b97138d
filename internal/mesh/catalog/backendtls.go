package catalog

import (
	"cmp"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// BackendTLSPolicy makes sidecars encrypt requests to destinations outside the mesh, and to their own servers (gateway.networking.k8s.io).
type BackendTLSPolicy struct {
	Name    entity.Name
	Created time.Time
	// Targets are what spec.targetRefs names.
	Targets []PolicyTarget
	// Hostname is the server name that clients request. Servers prove it, unless SubjectAltNames has other names.
	Hostname        string
	SubjectAltNames []SubjectAltName
	// Authorities are the ConfigMaps of the namespace with the authorities of the servers.
	Authorities []string
	// OtherAuthorities describes a reference to something else than a ConfigMap; empty without one.
	OtherAuthorities string
	// Problem is why the policy cannot be used, a sentence; empty if it can.
	Problem string
}

// PolicyTarget is an object of the namespace of a policy.
type PolicyTarget struct{ Group, Kind, Name, Section string }

// SubjectAltName is a name in the certificate of a server: a URI or a DNS name.
type SubjectAltName struct {
	IsURI bool
	Name  string
}

// API groups of Open Service Mesh: PolicyGroup has policies, such as Egresses, and ConfigGroup has ExtensionServices.
const (
	PolicyGroup = "policy.openservicemesh.io"
	ConfigGroup = "config.openservicemesh.io"
)

// IsEgress reports whether the target is an Egress.
func (t PolicyTarget) IsEgress() bool {
	return t.Group == PolicyGroup && t.Kind == string(entity.KindEgress)
}

// IsExtensionService reports whether the target is an ExtensionService.
func (t PolicyTarget) IsExtensionService() bool {
	return t.Group == ConfigGroup && t.Kind == string(entity.KindExtensionService)
}

// IsService reports whether the target is a Service. Only Services that are servers of the mesh matter: of traces, rate limits or authorization.
func (t PolicyTarget) IsService() bool { return t.Group == "" && t.Kind == string(entity.KindService) }

// dep returns the dependency of what is encrypted because of the target; false for a target of another kind.
func (t PolicyTarget) dep(namespace string) (entity.Dep, bool) {
	name := entity.Name{Namespace: namespace, Name: t.Name}
	switch {
	case t.IsEgress():
		return entity.DepBackendTLS.Of(name), true
	case t.IsExtensionService():
		return entity.DepServerTLS.Of(name), true
	case t.IsService():
		return entity.DepServiceTLS.Of(name), true
	}
	return entity.Dep{}, false
}

// Ref implements Entry.
func (p *BackendTLSPolicy) Ref() entity.Ref { return entity.KindBackendTLSPolicy.Ref(p.Name) }

// Deps implements Entry.
func (p *BackendTLSPolicy) Deps(list []entity.Dep) []entity.Dep {
	for _, target := range p.Targets {
		if dep, known := target.dep(p.Name.Namespace); known && !slices.Contains(list, dep) {
			list = append(list, dep)
		}
	}
	return list
}

// Precedes reports whether this policy applies before another one: the older one, then the first by name.
func (p *BackendTLSPolicy) Precedes(other *BackendTLSPolicy) bool {
	return cmp.Or(p.Created.Compare(other.Created), p.Name.Compare(other.Name)) < 0
}

// BackendTLSOf returns the policy that decides how requests of an Egress are encrypted; nil for none. An Egress with the egress gateway has
// settings of its own for that.
func (v *View) BackendTLSOf(egress *Egress) *BackendTLSPolicy {
	if declared := v.Egress(egress.Name); declared != nil && declared.Gateway != nil {
		return nil
	}
	return v.oldestBackendTLS(entity.DepBackendTLS.Of(egress.Name))
}

// BackendTLSOfServer returns the policy that decides how connections to an ExtensionService are encrypted; nil for none.
func (v *View) BackendTLSOfServer(service entity.Name) *BackendTLSPolicy {
	return v.oldestBackendTLS(entity.DepServerTLS.Of(service))
}

// BackendTLSOfService returns the policy that decides how connections to a port of a Service are encrypted, if the Service is a server of the mesh;
// nil for none. A policy for the name of the port precedes those for the whole Service. Policies of namespaces outside the mesh do not count.
func (v *View) BackendTLSOfService(service entity.Name, port uint16) *BackendTLSPolicy {
	dep := entity.DepServiceTLS.Of(service)
	if !v.HasBackendTLS(service.Namespace) {
		v.deps.Add(dep)
		return nil
	}
	section := v.portName(service, port)
	if policy := v.oldestBackendTLSAmong(dep, func(p *BackendTLSPolicy) bool { return section != "" && p.targetsSection(service.Name, section) }); policy != nil {
		return policy
	}
	return v.oldestBackendTLSAmong(dep, func(p *BackendTLSPolicy) bool { return p.targetsSection(service.Name, "") })
}

// portName returns the name of a port of a Service, which need not be part of the mesh; empty without one.
func (v *View) portName(name entity.Name, number uint16) string {
	if service := v.AnyService(name); service != nil {
		for _, port := range service.Ports {
			if port.Number == number {
				return port.Name
			}
		}
	}
	return ""
}

func (p *BackendTLSPolicy) targetsSection(service, section string) bool {
	return slices.ContainsFunc(p.Targets, func(t PolicyTarget) bool { return t.IsService() && t.Name == service && t.Section == section })
}

// oldestBackendTLS returns the policy that applies to a target; nil for none. A policy that the view excludes has a problem: without it, requests would be
// sent in plaintext.
func (v *View) oldestBackendTLS(dep entity.Dep) *BackendTLSPolicy {
	return v.oldestBackendTLSAmong(dep, func(*BackendTLSPolicy) bool { return true })
}

// oldestBackendTLSAmong is oldestBackendTLS for some of the policies.
func (v *View) oldestBackendTLSAmong(dep entity.Dep, isAbout func(*BackendTLSPolicy) bool) *BackendTLSPolicy {
	v.deps.Add(dep)
	policies := lists.Filter(sorted[*BackendTLSPolicy](v.catalog, entity.KindBackendTLSPolicy, dep), isAbout)
	if len(policies) == 0 {
		return nil
	}
	oldest := slices.MinFunc(policies, func(a, b *BackendTLSPolicy) int { return a.Created.Compare(b.Created) })
	if v.isHidden(oldest.Ref()) {
		excluded := *oldest
		excluded.Problem = "Sidecars rejected the policy."
		return &excluded
	}
	return oldest
}

// BackendAuthorities is the content of a ConfigMap with authorities of servers outside the mesh.
type BackendAuthorities struct {
	Name entity.Name
	// PEM has at least one certificate and nothing else, unless Problem is set.
	PEM []byte
	// Problem is why the authorities cannot be used, a sentence; empty if they can.
	Problem string
}

// Ref implements Entry.
func (a *BackendAuthorities) Ref() entity.Ref { return entity.KindBackendAuthorities.Ref(a.Name) }

// Deps implements Entry.
func (a *BackendAuthorities) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.DepBackendAuthorities.Of(a.Name))
}

// BackendAuthorities returns the content of a ConfigMap; nil before it was read.
func (v *View) BackendAuthorities(name entity.Name) *BackendAuthorities {
	return read[*BackendAuthorities](v, entity.DepBackendAuthorities.Of(name), entity.KindBackendAuthorities, name)
}

// HasBackendTLS reports whether the policies of a namespace apply: one of the mesh, or that of the control plane, whose servers all namespaces use.
func (v *View) HasBackendTLS(namespace string) bool {
	return v.InMesh(namespace) || namespace == v.Settings().Namespace
}

// BackendTLSPolicies returns all policies that apply, by name. It records no dependency.
func (v *View) BackendTLSPolicies() []*BackendTLSPolicy {
	var list []*BackendTLSPolicy
	for _, entry := range v.catalog.entries {
		if policy, ok := entry.(*BackendTLSPolicy); ok && v.HasBackendTLS(policy.Name.Namespace) {
			list = append(list, policy)
		}
	}
	slices.SortFunc(list, func(a, b *BackendTLSPolicy) int { return a.Name.Compare(b.Name) })
	return list
}
