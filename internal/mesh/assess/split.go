package assess

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

func (m Mesh) split(policy *catalog.TrafficSplit) []finding.Finding {
	found, everywhere := m.replaced(policy)
	references, usable := m.splitReferences(policy)
	if everywhere {
		return append(found, references...)
	}
	if !usable {
		found = append(found, finding.New(finding.NoUsableBackend, finding.ReasonNoUsableBackend,
			"No backend can receive requests, so all requests to Service %s that this split selects fail: correct a backend with a weight above 0, or delete the split.", policy.Root))
	}
	found = append(found, m.splitConflicts(policy)...)
	found = append(found, m.nestedSplits(policy)...)
	return append(found, references...)
}

// replaced returns the routes of the Gateway API that apply instead of a split, and whether they do on all ports.
func (m Mesh) replaced(policy *catalog.TrafficSplit) (found []finding.Finding, everywhere bool) {
	service := m.View.AnyService(policy.Root)
	if service == nil {
		return nil, false
	}
	replacements, everywhere := gateway.SplitReplacements(m.View, service)
	for _, replacement := range replacements {
		found = append(found, finding.Finding{
			Cause: finding.Replaced, Winner: replacement.Route.Ref(), Problem: ingest.Problem{
				Reason:  finding.ReasonConflicted,
				Message: replacement.Message(policy.Root),
			},
		})
	}
	return found, everywhere
}

// splitConflicts returns the requests that another split has: all of them, or those of an HTTPRouteGroup.
func (m Mesh) splitConflicts(policy *catalog.TrafficSplit) []finding.Finding {
	if len(policy.Matches) == 0 {
		winner := m.View.Split(policy.Root)
		if winner == nil || winner.Name == policy.Name {
			return nil
		}
		return []finding.Finding{finding.NewConflict(winner.Ref(), "TrafficSplit %s is older and already splits Service %s, so this one has no effect: delete one of them.", winner.Name, policy.Root)}
	}
	var found []finding.Finding
	splits := m.View.MatchingSplits(policy.Root)
	for _, group := range policy.Matches {
		at := slices.IndexFunc(splits, func(s *catalog.TrafficSplit) bool { return slices.Contains(s.Matches, group) })
		if at >= 0 && splits[at].Name != policy.Name {
			found = append(found, finding.NewConflict(splits[at].Ref(),
				"TrafficSplit %s is older and already splits the requests to Service %s that HTTPRouteGroup %s selects, so this one has no effect on them: delete one of them, or use another group.",
				splits[at].Name, policy.Root, group))
		}
	}
	return found
}

// nestedSplits returns the backends that are split themselves.
func (m Mesh) nestedSplits(policy *catalog.TrafficSplit) []finding.Finding {
	var found []finding.Finding
	for _, backend := range policy.Backends {
		if backend.Service == policy.Root {
			continue
		}
		if others := m.View.SplitsOf(backend.Service); len(others) > 0 {
			found = append(found, finding.NewWarning(finding.NotFollowed, finding.ReasonNotFollowed,
				"Service %s is also split by TrafficSplit %s, which does not apply to this backend: the splits of backends are not followed.", backend.Service, others[0].Name))
		}
	}
	return found
}

// splitReferences returns the groups and Services of a split that do not exist or have no common port. usable is false if the root exists and no backend
// with a weight is usable.
func (m Mesh) splitReferences(policy *catalog.TrafficSplit) (missing []finding.Finding, usable bool) {
	for _, group := range policy.Matches {
		ref := entity.Ref{Kind: entity.KindHTTPRouteGroup, Name: entity.Name{Namespace: policy.Name.Namespace, Name: group}}
		if !m.View.Exists(ref) {
			missing = append(missing, finding.NotFound(finding.NoRoute, ref, "HTTPRouteGroup %s does not exist, so it selects no requests: create it, or correct the name.", ref.Name))
		}
	}
	hasRoot := m.View.Exists(finding.Service(policy.Root))
	if !hasRoot {
		missing = append(missing, finding.NotFound(finding.NoRoot, finding.Service(policy.Root), "Service %s does not exist, so no requests are split: create it, or correct spec.service.", policy.Root))
	}
	unresolved, usable := m.splitBackends(policy)
	return append(missing, unresolved...), usable || !hasRoot
}

// splitBackends returns the backends that do not exist or have no port of the root. usable is true if another backend with a weight exists.
func (m Mesh) splitBackends(policy *catalog.TrafficSplit) (missing []finding.Finding, usable bool) {
	root := m.View.AnyService(policy.Root)
	fits := func(service *inventory.Service) bool {
		return root == nil || service == nil || hasCommonPort(root, service)
	}
	for _, backend := range policy.Backends {
		exists := m.View.Exists(finding.Service(backend.Service))
		usable = usable || exists && backend.Weight > 0 && fits(m.View.AnyService(backend.Service))
	}
	consequence := "it gets no requests"
	if usable {
		consequence = "the other backends take its share"
	}
	for _, backend := range policy.Backends {
		switch {
		case !m.View.Exists(finding.Service(backend.Service)):
			missing = append(missing, finding.NotFound(finding.NoBackend, finding.Service(backend.Service), "Service %s does not exist, so %s: create it, or correct the name.", backend.Service, consequence))
		case !fits(m.View.AnyService(backend.Service)):
			missing = append(missing, finding.NotFound(finding.NoBackendPort, entity.Ref{},
				"Service %s has none of the ports of Service %s, so %s: give it a port of the same number.", backend.Service, policy.Root, consequence))
		}
	}
	return missing, usable
}

func hasCommonPort(a, b *inventory.Service) bool {
	return slices.ContainsFunc(a.Ports, func(port inventory.Port) bool {
		return slices.ContainsFunc(b.Ports, func(other inventory.Port) bool { return other.Number == port.Number })
	})
}
