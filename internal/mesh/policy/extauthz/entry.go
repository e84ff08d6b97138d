package extauthz

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Kind is the kind of the policies.
const Kind entity.Kind = "ExternalAuthorization"

// Policy makes a server decide about inbound HTTP requests to some pods (policy.openservicemesh.io). It only denies:
// leaving it out would allow more, so no view excludes it, and it is never quarantined.
type Policy struct {
	Name    entity.Name
	Created time.Time
	// Selector selects pods by their labels; empty selects all pods of the namespace. In the namespace of the mesh it selects pods of all
	// namespaces.
	Selector map[string]string
	// Service names the ExtensionService. If it cannot be used, the server never answers.
	Service entity.Name
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

// Ref implements catalog.Entry.
func (p *Policy) Ref() entity.Ref { return Kind.Ref(p.Name) }

// Age implements catalog.Aged.
func (p *Policy) Age() time.Time { return p.Created }

// Required implements catalog.Required: without the policy, requests would be allowed that its server denies.
func (p *Policy) Required() {}

// Deps implements catalog.Entry.
func (p *Policy) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.DepAuthorization.Of(p.Name), policiesIn(p.Name.Namespace))
}

func policiesIn(namespace string) entity.Dep {
	return entity.DepAuthorizationsIn.In(namespace)
}

// Of returns the names of the policies in force for a pod: that of its namespace, and that of the namespace of the mesh.
// Either may be empty. In each namespace one with a selector has precedence, then the oldest.
func Of(v *catalog.View, pod *inventory.Instance) (own, mesh entity.Name) {
	meshNamespace := v.Settings().Namespace
	if meshNamespace != pod.Name.Namespace {
		own = inForceIn(v, pod.Name.Namespace, pod)
	}
	if meshNamespace != "" {
		mesh = inForceIn(v, meshNamespace, pod)
	}
	return own, mesh
}

func inForceIn(v *catalog.View, namespace string, pod *inventory.Instance) entity.Name {
	for _, selective := range []bool{true, false} {
		policy := catalog.Oldest(v, Kind, policiesIn(namespace), func(p *Policy) bool {
			return len(p.Selector) > 0 == selective && pod.HasLabels(p.Selector)
		})
		if policy != nil {
			return policy.Name
		}
	}
	return entity.Name{}
}

// Named returns a policy, or nil.
func Named(v *catalog.View, name entity.Name) *Policy {
	return catalog.Named[*Policy](v, Kind, entity.DepAuthorization, name)
}

// Server is a server that must allow inbound HTTP requests in addition to policies.
type Server struct {
	// Policy is the policy in force. MeshWide is true if it is in the namespace of the mesh.
	Policy   *Policy
	MeshWide bool
	// Service is the server. It is nil if it cannot be used: then no request gets an answer, and the failure mode of the policy decides.
	Service *catalog.ExtensionService
}

// Servers returns the servers of policies that exist, that of the mesh first.
func Servers(v *catalog.View, own, mesh entity.Name) []Server {
	return append(serverOf(v, mesh, true), serverOf(v, own, false)...)
}

func serverOf(v *catalog.View, name entity.Name, meshWide bool) []Server {
	policy := Named(v, name)
	if policy == nil {
		return nil
	}
	return []Server{{Policy: policy, MeshWide: meshWide, Service: v.ExtensionService(name.Namespace, policy.Service)}}
}

// InForce returns the servers that decide about requests to the running pods of an identity, sorted by policy. It records no dependency on the pods: only
// explanations use it.
func InForce(v *catalog.View, account identity.ServiceAccount) []Server {
	names := v.NamesOfPods(account, func(pod *inventory.Instance) []entity.Name {
		own, mesh := Of(v, pod)
		return []entity.Name{own, mesh}
	})
	return lists.FlatMap(names, func(name entity.Name) []Server { return serverOf(v, name, name.Namespace == v.Settings().Namespace) })
}
