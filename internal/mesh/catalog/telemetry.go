package catalog

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Telemetry configures the access log and the metrics of the sidecars of some pods (policy.openservicemesh.io).
type Telemetry struct {
	Name    Name
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
	Export     Name
	Attributes map[string]string
	Metrics    WorkloadMetrics
}

// WorkloadMetrics selects the metrics of requests and connections that sidecars count.
type WorkloadMetrics uint8

// What sidecars count.
const (
	AllMetrics WorkloadMetrics = iota
	MetricsWithoutRoutes
	NoMetrics
)

// Ref implements Entry.
func (t *Telemetry) Ref() Ref { return Ref{KindTelemetry, t.Name} }

// Age implements Aged.
func (t *Telemetry) Age() time.Time { return t.Created }

// Deps implements Entry.
func (t *Telemetry) Deps(list []Dep) []Dep {
	return append(list, Dep{DepTelemetry, t.Name}, Dep{DepTelemetriesIn, Name{Namespace: t.Name.Namespace}})
}

// TelemetryOf returns the name of the Telemetry in force for a pod; empty if there is none. The most specific one applies: of the
// namespace with a selector, of the namespace, of the mesh with a selector, of the mesh. Among equals it is the oldest.
func (v *View) TelemetryOf(pod *Pod) Name {
	for _, namespace := range slices.Compact([]string{pod.Name.Namespace, v.Settings().Namespace}) {
		for _, selective := range []bool{true, false} {
			policy := oldestOf(v, KindTelemetry, Dep{DepTelemetriesIn, Name{Namespace: namespace}}, func(t *Telemetry) bool {
				return len(t.Selector) > 0 == selective && hasLabels(pod, t.Selector)
			})
			if policy != nil {
				return policy.Name
			}
		}
	}
	return Name{}
}

// Telemetry returns a Telemetry, or nil.
func (v *View) Telemetry(name Name) *Telemetry {
	return visibleEntry[*Telemetry](v, KindTelemetry, DepTelemetry, name)
}

// hasLabels reports whether a pod has all labels of a selector.
func hasLabels(pod *Pod, selector map[string]string) bool {
	for key, value := range selector {
		if have, ok := pod.Labels[key]; !ok || have != value {
			return false
		}
	}
	return true
}

// TelemetriesOf returns the Telemetries in force for the running pods of an identity, sorted. It records no dependency on the pods: only
// explanations use it.
func (v *View) TelemetriesOf(sa identity.ServiceAccount) []Name {
	return v.namesOfPods(sa, func(pod *Pod) []Name { return []Name{v.TelemetryOf(pod)} })
}

// AuthorizationsTo returns the ExternalAuthorizations in force for the running pods of an identity, sorted. It records no dependency on the
// pods: only explanations use it.
func (v *View) AuthorizationsTo(sa identity.ServiceAccount) []Name {
	return v.namesOfPods(sa, func(pod *Pod) []Name {
		own, mesh := v.AuthorizationsOf(pod)
		return []Name{own, mesh}
	})
}

// namesOfPods collects names for the running pods of an identity, without empty ones.
func (v *View) namesOfPods(sa identity.ServiceAccount, of func(*Pod) []Name) []Name {
	var names []Name
	for _, pod := range entriesNamed[*Pod](v.catalog, KindPod, v.catalog.pods[sa.Namespace]) {
		if pod.Identity() == sa && !pod.Finished {
			names = append(names, of(pod)...)
		}
	}
	names = slices.DeleteFunc(names, func(name Name) bool { return name == Name{} })
	slices.SortFunc(names, Name.Compare)
	return slices.Compact(names)
}
