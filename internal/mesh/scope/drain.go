package scope

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// CarryDrainMarks copies the drain marks of earlier to next, and sets a new mark on each port where a source lost its
// permission. Sidecars authorize a connection only when it is opened, so an open one would outlive its permission.
//
// earlier is the last scope of the same key. Call CarryDrainMarks before next is shared.
func CarryDrainMarks(earlier, next *Scope) {
	forEachCommonPort(earlier, next, func(was, is *Inbound) {
		is.DrainMark = was.DrainMark
		if losesSource(was.Rules, is.Rules) {
			is.DrainMark = nextMark(was.DrainMark, is.Rules)
		}
	})
}

// KeepDrainMarks copies the drain marks of earlier to next, for a scope that is not sent to sidecars.
func KeepDrainMarks(earlier, next *Scope) {
	forEachCommonPort(earlier, next, func(was, is *Inbound) { is.DrainMark = was.DrainMark })
}

// forEachCommonPort calls fn for each port that both scopes have.
func forEachCommonPort(earlier, next *Scope, fn func(was, is *Inbound)) {
	type portKey struct {
		service catalog.Name
		port    uint16
	}
	before := map[portKey]*Inbound{}
	for i := range earlier.Inbound {
		in := &earlier.Inbound[i]
		before[portKey{in.Service, in.TargetPort}] = in
	}
	for i := range next.Inbound {
		in := &next.Inbound[i]
		if was := before[portKey{in.Service, in.TargetPort}]; was != nil {
			fn(was, in)
		}
	}
}

// losesSource reports whether a source that could connect before no longer can.
func losesSource(before, after authz.Rules) bool {
	if after.Permissive {
		return false
	}
	if before.Permissive {
		return true
	}
	remaining := map[identity.ServiceAccount]bool{}
	for _, rule := range after.Network {
		for _, source := range rule.Sources {
			remaining[source] = true
		}
	}
	for _, rule := range before.Network {
		for _, source := range rule.Sources {
			if !remaining[source] {
				return true
			}
		}
	}
	return false
}

// nextMark differs from mark and is equal on all replicas that saw the same changes.
func nextMark(mark string, rules authz.Rules) string {
	const length = 8
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %v", mark, rules.Network))
	return hex.EncodeToString(sum[:length])
}
