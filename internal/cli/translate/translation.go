package translate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
)

// translation is what the translations in both directions share.
type translation struct {
	*Result
	loaded *load.Loaded
	view   *catalog.View
	Options
	// names are those of objects that exist, and of the new ones.
	names map[entity.Ref]struct{}
}

func newTranslation(l *load.Loaded, o Options) translation {
	return translation{&Result{}, l, l.Catalog.View(), o, maps.Clone(l.Names)}
}

// selects reports whether an object is translated.
func (o Options) selects(name entity.Name) bool {
	return o.Namespace == "" || name.Namespace == o.Namespace
}

// hasRetries reports whether Retries are in force.
func (t translation) hasRetries() bool { return t.view.Settings().RetryPolicies || t.AssumeRetries }

// free returns a reference with a name that no object of the kind has, and reserves it.
func (t translation) free(kind entity.Kind, base entity.Name) entity.Ref {
	ref := entity.Ref{Kind: kind, Name: base}
	for i := 2; ; i++ {
		if _, taken := t.names[ref]; !taken {
			t.names[ref] = struct{}{}
			return ref
		}
		ref.Name.Name = fmt.Sprintf("%s-%d", base.Name, i)
	}
}

// isSplit reports whether TrafficSplits apply to a Service.
func (t translation) isSplit(service entity.Name) bool {
	return t.view.Split(service) != nil || len(t.view.MatchingSplits(service)) > 0
}

// accounts returns the service accounts of all pods that send requests through a sidecar.
func (t translation) accounts() []identity.ServiceAccount {
	found := map[identity.ServiceAccount]struct{}{}
	for _, entry := range t.loaded.Entries {
		pod, ok := entry.(*inventory.Instance)
		if ok && t.view.InMesh(pod.Name.Namespace) && !t.view.IsGateway(pod) && !t.view.IsEgressGateway(pod) && !t.view.IsPeerGateway(pod) {
			found[pod.Identity()] = struct{}{}
		}
	}
	return slices.SortedFunc(maps.Keys(found), identity.ServiceAccount.Compare)
}

// noteRejected adds a note for each object of a kind that the mesh does not use.
func (t translation) noteRejected(kind entity.Kind) {
	for ref := range t.loaded.Names {
		if ref.Kind != kind || t.loaded.Entries[ref] != nil || !t.selects(ref.Name) {
			continue
		}
		for _, finding := range t.loaded.Findings {
			if finding.Kind == kind && finding.Name == ref.Name {
				t.note(ref, Untranslated, "the mesh does not use it: %s", finding.Message)
				break
			}
		}
	}
}

func refsOf[E catalog.Entry](entries []E) []entity.Ref {
	var refs []entity.Ref
	for _, entry := range entries {
		refs = append(refs, entry.Ref())
	}
	return refs
}

// keepForGateways reports Gateways whose requests a Service receives: the ingress gateway applies TrafficSplits to them, and no routes of Services.
func (t *toRoutes) keepForGateways(root entity.Name, found *obstacles) {
	for _, kind := range []entity.Kind{entity.KindHTTPRoute, entity.KindGRPCRoute} {
		for _, r := range entriesOf[*catalog.HTTPRoute](t.loaded, kind) {
			if r.HasGateway() && sendsTo(r, root) {
				found.keep(entity.Ref{}, "Keep it for the requests of Gateways: the %s %s sends them to Service %s, and routes of the Service do not apply to them. Before you delete it, name its backends in that route.", r.Kind, r.Name, root.Name)
			}
		}
	}
}

func sendsTo(r *catalog.HTTPRoute, service entity.Name) bool {
	return slices.ContainsFunc(r.Rules, func(rule catalog.HTTPRouteRule) bool {
		return slices.ContainsFunc(rule.References(), func(b catalog.RouteBackend) bool { return b.Service == service })
	})
}
