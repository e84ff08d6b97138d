package telemetry

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// Kind is the kind of the policies.
const Kind entity.Kind = "Telemetry"

// Policy configures the access log and the metrics of the sidecars of some pods (policy.openservicemesh.io).
type Policy struct {
	Name    entity.Name
	Created time.Time
	// Selector selects pods by their labels; empty selects all pods of the namespace. In the namespace of the mesh it selects pods of all
	// namespaces.
	Selector map[string]string
	// Text is the format of a line. If it is empty, Fields are the keys and formats of a line of JSON; empty for the default.
	Text   string
	Fields map[string]string
	// Filter is a CEL expression that selects what is logged; empty for everything.
	Filter string
	// Export names the ExtensionService that receives the log; empty for none. Attributes are added to each record.
	Export     entity.Name
	Attributes map[string]string
	Metrics    Metrics
}

// Metrics selects the metrics of requests and connections that sidecars count.
type Metrics uint8

// What sidecars count.
const (
	AllMetrics Metrics = iota
	MetricsWithoutRoutes
	NoMetrics
)

// Ref implements catalog.Entry.
func (p *Policy) Ref() entity.Ref { return Kind.Ref(p.Name) }

// Age implements catalog.Aged.
func (p *Policy) Age() time.Time { return p.Created }

// Deps implements catalog.Entry.
func (p *Policy) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.DepTelemetry.Of(p.Name), policiesIn(p.Name.Namespace))
}

// Of returns the name of the policy in force for a pod; empty if there is none. The most specific one applies: of the
// namespace with a selector, of the namespace, of the mesh with a selector, of the mesh. Among equals it is the oldest.
func Of(v *catalog.View, pod *inventory.Instance) entity.Name {
	for _, namespace := range slices.Compact([]string{pod.Name.Namespace, v.Settings().Namespace}) {
		for _, selective := range []bool{true, false} {
			policy := catalog.Oldest(v, Kind, policiesIn(namespace), func(p *Policy) bool {
				return len(p.Selector) > 0 == selective && pod.HasLabels(p.Selector)
			})
			if policy != nil {
				return policy.Name
			}
		}
	}
	return entity.Name{}
}

// InForce returns the policies in force for the running pods of an identity, sorted by name. It records no dependency on the pods: only explanations use it.
func InForce(v *catalog.View, account identity.ServiceAccount) []*Policy {
	var list []*Policy
	for _, name := range v.NamesOfPods(account, func(pod *inventory.Instance) []entity.Name { return []entity.Name{Of(v, pod)} }) {
		if policy := Named(v, name); policy != nil {
			list = append(list, policy)
		}
	}
	return list
}

// IsLost reports whether the log is exported to an ExtensionService that cannot be used.
func (p *Policy) IsLost(v *catalog.View) bool {
	return p.Export != (entity.Name{}) && v.ExtensionService(p.Name.Namespace, p.Export) == nil
}

// Named returns a policy, or nil.
func Named(v *catalog.View, name entity.Name) *Policy {
	return catalog.Named[*Policy](v, Kind, entity.DepTelemetry, name)
}

func policiesIn(namespace string) entity.Dep {
	return entity.DepTelemetriesIn.In(namespace)
}
