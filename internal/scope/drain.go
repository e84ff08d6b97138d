package scope

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// CarryDrainMarks gives the ports of next the drain marks of previous, and a new one to each port on which some source may no
// longer connect: a sidecar asks about a connection only once, so an open one would outlive its permission. Previous is what
// the same kind of sidecar was configured from before. Call it before next is shared.
func CarryDrainMarks(previous, next *Scope) {
	carry(previous, next, func(was, is *Inbound) {
		is.DrainMark = was.DrainMark
		if losesSource(was.Rules, is.Rules) {
			is.DrainMark = nextMark(was.DrainMark, is.Rules)
		}
	})
}

// KeepDrainMarks gives the ports of next the drain marks of previous, for a scope that is only looked at.
func KeepDrainMarks(previous, next *Scope) {
	carry(previous, next, func(was, is *Inbound) { is.DrainMark = was.DrainMark })
}

// carry calls f for each port that both scopes have.
func carry(previous, next *Scope, f func(was, is *Inbound)) {
	type door struct {
		service catalog.Name
		port    uint16
	}
	before := map[door]*Inbound{}
	for i := range previous.Inbound {
		in := &previous.Inbound[i]
		before[door{in.Service, in.TargetPort}] = in
	}
	for i := range next.Inbound {
		in := &next.Inbound[i]
		if was := before[door{in.Service, in.TargetPort}]; was != nil {
			f(was, in)
		}
	}
}

// losesSource says whether somebody could connect before who no longer can.
func losesSource(before, after authz.Rules) bool {
	if after.Permissive {
		return false
	}
	if before.Permissive {
		return true
	}
	left := map[identity.ServiceAccount]bool{}
	for _, rule := range after.Network {
		for _, source := range rule.Sources {
			left[source] = true
		}
	}
	for _, rule := range before.Network {
		for _, source := range rule.Sources {
			if !left[source] {
				return true
			}
		}
	}
	return false
}

// nextMark differs from mark, and is the same for everybody who saw the same changes.
func nextMark(mark string, rules authz.Rules) string {
	const length = 8
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %v", mark, rules.Network))
	return hex.EncodeToString(sum[:length])
}
