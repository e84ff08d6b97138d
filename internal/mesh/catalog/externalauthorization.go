package catalog

import (
	"time"
)

// ExternalAuthorizationPolicy makes a server decide about inbound HTTP requests to some pods (policy.openservicemesh.io). It only denies:
// leaving it out would allow more, so no view excludes it, and it is never quarantined.
type ExternalAuthorizationPolicy struct {
	Name    Name
	Created time.Time
	// Selector selects pods by their labels; empty selects all pods of the namespace. In the namespace of the mesh it selects pods of all
	// namespaces.
	Selector map[string]string
	// Service names the ExtensionService. If it cannot be used, the server never answers.
	Service Name
	// Timeout bounds each decision. Without one in time, FailureModeAllow decides.
	Timeout          time.Duration
	FailureModeAllow bool
	// MaxRequestBytes is how much of the body the server gets; 0 for nothing.
	MaxRequestBytes uint32
	// PathPrefix and ResponseHeaders concern servers with HTTP/1.1.
	PathPrefix      string
	RequestHeaders  []string
	ResponseHeaders []string
}

// Ref implements Entry.
func (p *ExternalAuthorizationPolicy) Ref() Ref { return Ref{KindExternalAuthorization, p.Name} }

// Age implements Aged.
func (p *ExternalAuthorizationPolicy) Age() time.Time { return p.Created }

// Deps implements Entry.
func (p *ExternalAuthorizationPolicy) Deps(list []Dep) []Dep {
	return append(list, Dep{DepAuthorization, p.Name}, Dep{DepAuthorizationsIn, Name{Namespace: p.Name.Namespace}})
}

// AuthorizationsOf returns the names of the policies in force for a pod: that of its namespace, and that of the namespace of the mesh.
// Either may be empty. In each namespace one with a selector has precedence, then the oldest.
func (v *View) AuthorizationsOf(pod *Pod) (own, mesh Name) {
	meshNamespace := v.Settings().Namespace
	if meshNamespace != pod.Name.Namespace {
		own = v.authorizationIn(pod.Name.Namespace, pod)
	}
	if meshNamespace != "" {
		mesh = v.authorizationIn(meshNamespace, pod)
	}
	return own, mesh
}

func (v *View) authorizationIn(namespace string, pod *Pod) Name {
	var found *ExternalAuthorizationPolicy
	for _, policy := range find[*ExternalAuthorizationPolicy](v, KindExternalAuthorization, Dep{DepAuthorizationsIn, Name{Namespace: namespace}}) {
		if hasLabels(pod, policy.Selector) && (found == nil || policy.precedes(found)) {
			found = policy
		}
	}
	if found == nil {
		return Name{}
	}
	return found.Name
}

// precedes reports whether this policy applies instead of another one that selects the same pod. The other one is first by name.
func (p *ExternalAuthorizationPolicy) precedes(other *ExternalAuthorizationPolicy) bool {
	if (len(p.Selector) > 0) != (len(other.Selector) > 0) {
		return len(p.Selector) > 0
	}
	return p.Created.Before(other.Created)
}

// Authorization returns a policy, or nil.
func (v *View) Authorization(name Name) *ExternalAuthorizationPolicy {
	v.deps.add(DepAuthorization, name)
	policy, _ := get[*ExternalAuthorizationPolicy](v.catalog, KindExternalAuthorization, name)
	return policy
}
