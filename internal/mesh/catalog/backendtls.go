package catalog

import (
	"cmp"
	"slices"
	"time"
)

// BackendTLSPolicy makes sidecars encrypt requests to destinations outside the mesh (gateway.networking.k8s.io).
type BackendTLSPolicy struct {
	Name    Name
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

// PolicyGroup is the API group of the policies of Open Service Mesh, such as Egresses.
const PolicyGroup = "policy.openservicemesh.io"

// IsEgress reports whether the target is an Egress.
func (t PolicyTarget) IsEgress() bool { return t.Group == PolicyGroup && t.Kind == string(KindEgress) }

// Ref implements Entry.
func (p *BackendTLSPolicy) Ref() Ref { return Ref{KindBackendTLSPolicy, p.Name} }

// Deps implements Entry.
func (p *BackendTLSPolicy) Deps(list []Dep) []Dep {
	for _, target := range p.Targets {
		if dep := (Dep{DepBackendTLS, Name{p.Name.Namespace, target.Name}}); target.IsEgress() && !slices.Contains(list, dep) {
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
// settings of its own for that. A policy that the view excludes has a problem: without it, requests would leave the mesh in plaintext.
func (v *View) BackendTLSOf(egress *Egress) *BackendTLSPolicy {
	if declared := v.Egress(egress.Name); declared != nil && declared.Gateway != nil {
		return nil
	}
	dep := Dep{DepBackendTLS, egress.Name}
	v.deps[dep] = struct{}{}
	policies := sorted[*BackendTLSPolicy](v.catalog, KindBackendTLSPolicy, dep)
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
	Name Name
	// PEM has at least one certificate and nothing else, unless Problem is set.
	PEM []byte
	// Problem is why the authorities cannot be used, a sentence; empty if they can.
	Problem string
}

// Ref implements Entry.
func (a *BackendAuthorities) Ref() Ref { return Ref{KindBackendAuthorities, a.Name} }

// Deps implements Entry.
func (a *BackendAuthorities) Deps(list []Dep) []Dep {
	return append(list, Dep{DepBackendAuthorities, a.Name})
}

// BackendAuthorities returns the content of a ConfigMap; nil before it was read.
func (v *View) BackendAuthorities(name Name) *BackendAuthorities {
	v.deps.add(DepBackendAuthorities, name)
	authorities, _ := get[*BackendAuthorities](v.catalog, KindBackendAuthorities, name)
	return authorities
}

// BackendTLSPolicies returns all policies of the mesh, by name. It records no dependency.
func (v *View) BackendTLSPolicies() []*BackendTLSPolicy {
	var list []*BackendTLSPolicy
	for _, entry := range v.catalog.entries {
		if policy, ok := entry.(*BackendTLSPolicy); ok && v.InMesh(policy.Name.Namespace) {
			list = append(list, policy)
		}
	}
	slices.SortFunc(list, func(a, b *BackendTLSPolicy) int { return a.Name.Compare(b.Name) })
	return list
}
