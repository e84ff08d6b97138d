package snapshot

import (
	"maps"
	"reflect"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// rebuildAffected rebuilds what depends on the touched dependencies, and nothing else.
func (s *Store) rebuildAffected(touched []entity.Dep) {
	s.trials.drop()
	defer clear(s.same)
	// Endpoints come before scopes: a scope that drops a cluster also drops its endpoints.
	for e := range s.endpointsIndex.Affected(touched) {
		s.rebuildEndpoints(e)
	}
	// Scopes that get destinations of their own come before shared destinations, which may lose some that these scopes keep.
	scopes := s.scopeIndex.Affected(touched)
	dropParts(scopes, touched)
	s.running.setRemaining(scopes)
	for n := range scopes {
		if s.leavesShared(n) {
			s.rebuildScope(n)
			delete(scopes, n)
		}
	}
	// Shared destinations come before streams: a stream that moves to a new scope needs them.
	dependents := s.rebuildShared(touched)
	for stream := range s.streamIndex.Affected(touched) {
		s.rebind(stream)
	}
	for _, n := range dependents {
		n.stale = true
		scopes[n] = struct{}{}
	}
	s.rebuildInTurns(scopes)
	s.running.setRemaining(nil)
	s.retryRefused()
	if len(s.running.batches) <= 1 { // otherwise the interrupted batch does, and may build the scope of such a stream now
		s.bindPending()
	}
}

// Resync rebuilds everything from the catalog and pushes what differs: nothing, unless a dependency was missed. It costs as much
// as a change of the whole mesh.
func (s *Store) Resync() {
	s.run(s.rebuildAll)
}

// rebuildAll rebuilds everything from the catalog.
func (s *Store) rebuildAll() {
	for _, n := range s.scopes {
		n.stale = true
	}
	for _, d := range s.shared.list {
		d.stale = true
	}
	touched := slices.Collect(maps.Keys(s.scopeIndex.Dependents))
	touched = slices.AppendSeq(touched, maps.Keys(s.endpointsIndex.Dependents))
	touched = slices.AppendSeq(touched, maps.Keys(s.streamIndex.Dependents))
	touched = append(touched, s.shared.allDependencies()...)
	s.rebuildAffected(touched)
}

// scopeFor returns the node of a scope and builds it if there is none.
func (s *Store) scopeFor(key scope.Key) *scopeNode {
	if n, ok := s.scopes[key]; ok {
		s.removeIdle(n) // the caller adds a stream
		return n
	}
	n := &scopeNode{key: key, streams: map[*Stream]struct{}{}, identity: s.identityFor(key.Identity)}
	s.scopes[key] = n
	n.identity.scopes[n] = struct{}{}
	s.rebuildInTurn(s.running.current(), n)
	return n
}

// rebuildScope builds a scope from the catalog and notifies its streams of the differences. It ignores a scope that is no longer
// in use, and drops one without streams.
func (s *Store) rebuildScope(n *scopeNode) {
	if s.scopes[n.key] != n || s.running.postpone(n) {
		return
	}
	if s.idle.has(n) {
		s.dropScope(n)
		return
	}
	quarantined := s.quarantine.Policies(n.key)
	began := s.config.Now()
	view := s.catalog.ViewWithout(quarantined)
	var shared *sharedLayer
	var destinations *scope.Destinations
	if n.key.MayShareDestinations() && scope.UsesSharedDestinations(view, n.key.Identity) {
		if shared = s.useShared(n, quarantined, telemetry.AccessLogOf(view, n.key.Telemetry)); shared != nil {
			destinations = destinationsOf(shared.of.current)
		}
	}
	built := s.buildFrom(view, n, quarantined, destinations)
	s.scopeIndex.Set(n, view.Deps())
	scope.CarryCertificates(n.built, built)
	own := built
	if shared != nil {
		own = withDestinations(built, &scope.Destinations{})
		if built.AccessLog != nil && shared.accessLog == nil {
			built.AddLimited(entity.Ref{Kind: telemetry.Kind, Name: built.AccessLog.Policy})
		}
	}
	built = s.withinBudget(n, built, own)
	s.logDeniedPorts(n, built)
	s.trace.AddScopes(1)
	began, others := s.addStage(status.StageScope, began), s.running.others
	if shared != nil {
		s.editSharing(n, shared, built)
	} else {
		s.editOwn(n, built)
	}
	n.stale = false
	for stream := range n.streams { // those that a sidecar already has are not sent again
		stream.delta.Load(n.built.EagerDestinations)
	}
	s.addStage(status.StageEnvoy, began.Add(s.running.others-others))
}

// buildFrom builds a scope from a view without quarantined policies: with shared destinations, or from its own parts if they are nil.
func (s *Store) buildFrom(view *catalog.View, n *scopeNode, quarantined map[entity.Ref]struct{}, shared *scope.Destinations) *scope.Scope {
	if shared != nil || n.stale {
		n.parts = scopeParts{}
	}
	if shared != nil {
		return scope.BuildWithShared(view, s.trustDomains, n.key, shared)
	}
	return scope.BuildFromParts(view, s.trustDomains, n.key, n.parts.without(quarantined))
}

// logDeniedPorts logs that ports of a workload begin to deny all requests, because its policies have too many routes.
func (s *Store) logDeniedPorts(n *scopeNode, built *scope.Scope) {
	if built.DeniedPorts > 0 && (n.built == nil || n.built.DeniedPorts == 0) {
		s.config.Log.Info("Ports of a workload deny all requests, because their policies have more routes than a sidecar can have: use fewer ports or matches",
			"identity", n.key.Identity.String(), "ports", built.DeniedPorts, "maximum", authz.MaxRoutes)
	}
}

// editSharing edits a scope with shared destinations. Its own resources are few and always translated as a whole.
func (s *Store) editSharing(n *scopeNode, shared *sharedLayer, built *scope.Scope) {
	own := withDestinations(built, &scope.Destinations{})
	if n.stale || n.shared != shared || !equalScopes(n.built, own) {
		step := transition{after: withDestinations(built, &scope.Destinations{Outbound: built.Outbound}), build: s.withSecrets(envoy.BuildOwn)}
		s.editScope(n, shared, s.translate(&n.own, n, step))
	}
	s.recordLimited(n, built.Limited)
	n.built, n.separable = own, false
}

// editOwn edits a scope with destinations of its own.
func (s *Store) editOwn(n *scopeNode, built *scope.Scope) {
	separable := isSeparable(built.Outbound)
	isComparable := separable && n.separable && !n.stale && n.shared == nil
	if !isComparable || !equalScopes(n.built, built) {
		step := transition{after: built, build: s.withSecrets(envoy.Build)}
		if isComparable && !n.key.Class.OSM && reflect.DeepEqual(withoutLists(n.built), withoutLists(built)) {
			all, separable := s.withSecrets(envoy.Build), s.withSecrets(envoy.BuildSeparable)
			step = partialTransition(n.built, built, builders{all, separable, envoy.BuildDestinations, envoy.BuildPorts})
		}
		step.known = s.same.find(step)
		made := s.translateInTurn(n, step)
		s.same.add(step, made.resources)
		if s.scopes[n.key] != n { // dropped meanwhile
			return
		}
		s.editScope(n, nil, s.addEndpoints(s.contentEdits(&n.own, step, made), &n.own, n, step))
	}
	s.recordLimited(n, built.Limited)
	n.built, n.separable = built, separable
}

// editScope exchanges the shared layer and applies edits, notifies the scope's streams, and releases what is replaced.
func (s *Store) editScope(n *scopeNode, shared *sharedLayer, e edits) {
	replaced, earlier := n.own.replacedEndpoints(e), n.shared
	n.mu.Lock()
	changes := n.replace(shared, e)
	serversChanged := n.updateServers(&changes)
	s.trace.AddResources(changes.Len())
	if !changes.IsEmpty() {
		s.notifyInterrupted(n, &changes)
		s.notifyStreams(n, &changes, s.trace)
		s.notifyPostponed(n, &changes)
	}
	n.mu.Unlock()
	if serversChanged && len(n.streams) > 0 {
		s.serversChanged.send()
	}
	for _, before := range replaced {
		s.releaseEndpoints(before, n)
	}
	if earlier != shared {
		s.releaseShared(earlier, n)
	}
}

// notifyStreams notifies the streams of a scope. The caller holds the scope's lock, so no stream sees a new resource before it is
// notified of the resources that the new one depends on.
func (s *Store) notifyStreams(n *scopeNode, changes *delta.Changes, trace *status.BatchTrace) {
	now := s.config.Now()
	for stream := range n.streams {
		stream.delta.Notify(changes, now, trace)
	}
}

// releaseScope removes a scope without streams.
func (s *Store) releaseScope(n *scopeNode) {
	if len(n.streams) == 0 {
		s.dropScope(n)
		s.retryRefused()
	}
}

// dropScope removes a scope. Refused scopes may have room afterwards.
func (s *Store) dropScope(n *scopeNode) {
	delete(s.scopes, n.key)
	s.removeIdle(n)
	s.budgets.remove(n)
	s.countRefused()
	s.quarantine.CloseScope(n.key)
	s.quarantine.DropScope(n.key)
	s.scopeIndex.Remove(n)
	s.recordLimited(n, nil)
	s.releaseShared(n.shared, n)
	for _, e := range n.own.endpoints {
		s.releaseEndpoints(e, n)
	}
	delete(n.identity.scopes, n)
	if len(n.identity.scopes) == 0 {
		delete(s.identities, n.identity.account)
	}
}

// endpointsFor returns the node of a cluster's endpoints and builds it if there is none.
func (s *Store) endpointsFor(c scope.Cluster) *endpointsNode {
	if e, ok := s.endpoints[c.Endpoints]; ok {
		return e
	}
	e := &endpointsNode{key: c.Endpoints, cluster: c.Name(), users: map[endpointsUser]struct{}{}}
	s.endpoints[c.Endpoints] = e
	s.rebuildEndpoints(e)
	return e
}

// rebuildEndpoints builds endpoints from the catalog and notifies the streams that use them if they differ.
func (s *Store) rebuildEndpoints(e *endpointsNode) {
	if s.endpoints[e.key] != e {
		return
	}
	began := s.config.Now()
	view := s.catalog.View()
	built := scope.BuildEndpoints(view, e.key)
	s.endpointsIndex.Set(e, view.Deps())
	began = s.addStage(status.StageScope, began)
	defer func() { s.addStage(status.StageEnvoy, began) }()
	c, err := resource.New(envoy.Endpoints(e.cluster, built))
	if err != nil {
		s.config.Log.Error(err, "Endpoints are not updated", "cluster", e.cluster)
		return
	}
	if old := e.current.Load(); old != nil && old.Hash() == c.Hash() {
		return
	}
	e.current.Store(s.interner.Intern(c))
	s.trace.AddResources(1)
	changes := delta.Changes{resourcetype.Endpoints: {e.cluster}}
	for user := range e.users {
		user.notify(s, &changes)
	}
}

// releaseEndpoints removes endpoints that nothing uses any more.
func (s *Store) releaseEndpoints(e *endpointsNode, user endpointsUser) {
	delete(e.users, user)
	if len(e.users) == 0 && s.endpoints[e.key] == e {
		delete(s.endpoints, e.key)
		s.endpointsIndex.Remove(e)
	}
}
