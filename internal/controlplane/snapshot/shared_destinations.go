package snapshot

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// sharedDestinations are the destinations that every client may call: all in permissive mode, otherwise those of permissive
// namespaces. They are built, compared and translated once for all scopes that use them. A scope that may call more has its own
// destinations.
type sharedDestinations struct {
	// without are the quarantined policies that they are built without; usually none. The map does not change.
	without map[entity.Ref]struct{}
	// cause is the namespace of the scope that used them first.
	cause string
	// parts are those of current.
	parts sharedParts
	// current has no more than what is equal for all clients. It is nil if nothing is permissive.
	current *scope.Scope
	// separable is the result of isSeparable for current.
	separable bool
	// stale is true if the layers must be translated again even if the destinations are the same.
	stale bool
	// layers has the resources, by the properties in which they differ. Scopes of a layer use current, or the destinations before it until
	// they are rebuilt.
	layers map[sharedKey]*sharedLayer
	// policies are those that current depends on; nil if they were not needed since it was built.
	policies []entity.Ref
}

// sharedKey has the properties of a client that its destinations depend on.
type sharedKey struct {
	// ipv6 is true for pods with an IPv6 address, and onDemand for those that load destinations at the first connection.
	ipv6, onDemand bool
	// accessLog describes the access log of the client; empty for the default.
	accessLog string
}

// sharedKeyOf returns the key of a client. Equal access logs have equal descriptions: fmt sorts the keys of maps.
func sharedKeyOf(class scope.Class, log *telemetry.AccessLog) sharedKey {
	key := sharedKey{ipv6: class.IPv6, onDemand: class.OnDemand}
	if log != nil {
		var export telemetry.Export
		if log.Export != nil {
			export = *log.Export
		}
		content := *log
		content.Export = nil // fmt would print its address
		key.accessLog = fmt.Sprintf("%+v %+v", content, export)
	}
	return key
}

// scopes returns the scopes that share destinations.
func (d *sharedDestinations) scopes() []*scopeNode {
	var list []*scopeNode
	for _, l := range d.layers {
		for n := range l.scopes {
			list = append(list, n)
		}
	}
	return list
}

// rebuildDestinations builds shared destinations again and updates their layers. It returns the scopes whose own resources depend on the
// difference.
func (s *Store) rebuildDestinations(d *sharedDestinations) []*scopeNode {
	began := s.config.Now()
	before, wasSeparable := d.current, d.separable
	s.buildShared(d)
	s.addStage(status.StageScope, began)
	if d.current == nil { // the scopes get their own
		return d.scopes()
	}
	s.moveScopes(d)
	if before != nil && !d.stale && equalScopes(before, d.current) {
		return nil
	}
	began = s.config.Now()
	for _, l := range d.layers {
		s.trace.AddScopes(len(l.scopes))
		s.updateLayer(l, before, wasSeparable && d.separable)
	}
	s.addStage(status.StageEnvoy, began)
	d.stale = false
	return d.dependents(before)
}

// dependents returns the scopes whose own resources depend on the difference between the destinations before and now.
func (d *sharedDestinations) dependents(before *scope.Scope) []*scopeNode {
	hadAny, hasAny := before != nil && len(before.Outbound) > 0, len(d.current.Outbound) > 0
	var samePorts, compared bool
	return slices.DeleteFunc(d.scopes(), func(n *scopeNode) bool {
		if hadAny != hasAny || !n.built.HasNoClientPolicies() {
			return false
		}
		if n.key.Class.OnDemand && !compared {
			samePorts, compared = before != nil && scope.HaveSamePortListeners(before, d.current), true
		}
		return !n.key.Class.OnDemand || samePorts
	})
}

// buildShared sets the current version of shared destinations.
func (s *Store) buildShared(d *sharedDestinations) {
	view, before := s.catalog.ViewWithout(d.without), limitedOf(d.current)
	d.policies = nil
	if d.current = s.sharedOf(view, d.parts.built); d.current != nil {
		d.separable = isSeparable(d.current.Outbound)
	}
	d.parts.recordDeps()
	s.shared.index.Set(d, view.Deps())
	s.limited.replace(identity.ServiceAccount{}, before, limitedOf(d.current))
}

// sharedOf builds the shared destinations of a view from parts; nil if nothing is permissive.
func (s *Store) sharedOf(view *catalog.View, parts map[entity.Name]*scope.Part) *scope.Scope {
	built := scope.SharedDestinationsFrom(view, parts)
	if built == nil {
		return nil
	}
	settings := view.Settings()
	shared := &scope.Scope{
		Common: scope.Common{
			TLS: settings.TLS, Tracing: settings.Tracing, UnloggedRequests: settings.UnloggedRequests, Clusters: built.Clusters, Limited: built.Limited,
		},
		Sidecar: scope.Sidecar{Outbound: built.Outbound, Divided: built.Divided, ServiceRanges: view.ServiceRanges()},
	}
	shared.SetTrustDomains(s.trustDomains)
	return shared
}

// limitedOf returns the policies that the route limit restricts in a scope; none for nil.
func limitedOf(s *scope.Scope) []entity.Ref {
	if s == nil {
		return nil
	}
	return s.Limited
}

// updateLayer translates the difference between the destinations before and now.
func (s *Store) updateLayer(l *sharedLayer, before *scope.Scope, separable bool) {
	step := l.transition(before, l.of.current, separable && !l.of.stale)
	e := s.translate(&l.layer, l, step)
	replaced := l.replacedEndpoints(e)
	l.update(s, e)
	for _, before := range replaced {
		s.releaseEndpoints(before, l)
	}
}

// transition returns the change between two versions of destinations. They are compared if both are separable.
func (l *sharedLayer) transition(before, after *scope.Scope, separable bool) transition {
	if separable && before != nil && reflect.DeepEqual(withoutLists(before), withoutLists(after)) {
		// before comes first: it may still be kept.
		completeBefore := l.complete(before)
		build := builders{envoy.BuildShared, envoy.BuildSharedSeparable, envoy.BuildSharedSeparable, envoy.BuildSharedPorts}
		return partialTransition(completeBefore, l.complete(after), build)
	}
	return transition{after: l.complete(after), build: envoy.BuildShared}
}

// complete returns the scope of the clients of the layer. That of the current destinations is kept, because the next change is compared with it.
func (l *sharedLayer) complete(s *scope.Scope) *scope.Scope {
	if l.completed.of == s {
		return l.completed.scope
	}
	changed := *s
	changed.Key.Class.IPv6, changed.Key.Class.OnDemand, changed.AccessLog = l.key.ipv6, l.key.onDemand, l.accessLog
	changed.LoadOnDemand()
	if s == l.of.current {
		l.completed = completedScope{of: s, scope: &changed}
	}
	return &changed
}

// completedScope is the scope of the clients of a layer, made of shared destinations.
type completedScope struct{ of, scope *scope.Scope }

// useShared returns the layer for a scope with quarantined policies and an access log, or nil if there are no shared destinations for it.
func (s *Store) useShared(n *scopeNode, quarantined map[entity.Ref]struct{}, log *telemetry.AccessLog) *sharedLayer {
	d := s.sharedFor(n, quarantined)
	if d == nil {
		return nil
	}
	key, log := d.keyFor(n, log)
	l := d.layers[key]
	if l == nil {
		l = &sharedLayer{of: d, key: key, accessLog: log, scopes: map[*scopeNode]struct{}{}}
		d.layers[key] = l
		l.update(s, s.translate(&l.layer, l, transition{after: l.complete(d.current), build: envoy.BuildShared}))
	}
	l.scopes[n] = struct{}{}
	return l
}

// keyFor returns the key of the layer for a scope with an access log, and the access log of the layer.
func (d *sharedDestinations) keyFor(n *scopeNode, log *telemetry.AccessLog) (sharedKey, *telemetry.AccessLog) {
	if log != nil && !d.hasRoomFor(sharedKeyOf(n.key.Class, log), log) {
		log = nil
	}
	return sharedKeyOf(n.key.Class, log), log
}

// maxSharedLogs is how many layers of shared destinations the Telemetries of one namespace can cause. Each has all listeners of the shared destinations.
const maxSharedLogs = 8

// hasRoomFor reports whether an access log may have a layer: it has one already, or its namespace has few and the log is not too long for the number
// of listeners. Without a layer of its own, a client has the default log for shared destinations.
func (d *sharedDestinations) hasRoomFor(key sharedKey, log *telemetry.AccessLog) bool {
	if !log.Fits(len(d.current.Outbound)) {
		return false
	}
	if d.layers[key] != nil {
		return true
	}
	count := 0
	for _, l := range d.layers {
		if l.accessLog != nil && l.accessLog.Policy.Namespace == log.Policy.Namespace {
			count++
		}
	}
	return count < maxSharedLogs
}

// releaseShared removes a scope from a layer. The layer is dropped with its last scope, and the destinations with the last layer.
func (s *Store) releaseShared(l *sharedLayer, n *scopeNode) {
	if l == nil {
		return
	}
	delete(l.scopes, n)
	if len(l.scopes) > 0 {
		return
	}
	delete(l.of.layers, l.key)
	for _, e := range l.endpoints {
		s.releaseEndpoints(e, l)
	}
	if len(l.of.layers) == 0 {
		s.shared.remove(l.of)
		s.limited.replace(identity.ServiceAccount{}, limitedOf(l.of.current), nil)
	}
}
