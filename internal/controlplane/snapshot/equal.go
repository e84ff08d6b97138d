package snapshot

import (
	"reflect"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// equalScopes reports whether two versions of a scope are equal. A scope is rebuilt after every change of a policy that it depends
// on, and many changes have no effect on it.
func equalScopes(before, after *scope.Scope) bool {
	return slices.EqualFunc(before.Outbound, after.Outbound, byValue(equalOutbound)) &&
		slices.EqualFunc(before.Clusters, after.Clusters, byValue(equalCluster)) &&
		reflect.DeepEqual(before.Inbound, after.Inbound) && reflect.DeepEqual(before.ClientPolicies, after.ClientPolicies) &&
		reflect.DeepEqual(withoutLists(before), withoutLists(after))
}

// equalOutbound avoids reflection for the fields that most destinations have.
func equalOutbound(a, b *scope.Outbound) bool {
	return a.Service == b.Service && a.Port == b.Port && a.Protocol == b.Protocol && a.PodPort == b.PodPort &&
		slices.Equal(a.Addresses, b.Addresses) && slices.Equal(a.Backends, b.Backends) &&
		slices.EqualFunc(a.Routes, b.Routes, equalRoutes) && equalUpstream(a.Upstream, b.Upstream)
}

func equalRoutes(a, b scope.OutboundRoutes) bool { return reflect.DeepEqual(a, b) }

func equalCluster(a, b *scope.Cluster) bool {
	return a.Service == b.Service && a.TargetPort == b.TargetPort && a.Protocol == b.Protocol && a.Endpoints == b.Endpoints &&
		slices.Equal(a.Identities, b.Identities) && equalUpstream(a.Upstream, b.Upstream)
}

// equalUpstream compares pointers first: nearly all are nil.
func equalUpstream(a, b *scope.Upstream) bool { return a == b || reflect.DeepEqual(a, b) }

// byValue adapts a comparison of pointers for package slices.
func byValue[E any](equal func(a, b *E) bool) func(a, b E) bool {
	return func(a, b E) bool { return equal(&a, &b) }
}

// containsInOrder reports whether a list has all elements of another one in the same order.
func containsInOrder[E any](list, all []E, equal func(a, b *E) bool) bool {
	found := 0
	for i := range list {
		if found < len(all) && equal(&list[i], &all[found]) {
			found++
		}
	}
	return found == len(all)
}

// trimCommonEnds removes the common prefix and suffix of two lists.
func trimCommonEnds[E any](a, b []E, equal func(a, b *E) bool) (restA, restB []E) {
	for len(a) > 0 && len(b) > 0 && equal(&a[0], &b[0]) {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && equal(&a[len(a)-1], &b[len(b)-1]) {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}
