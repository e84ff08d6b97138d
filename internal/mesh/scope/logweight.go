package scope

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
)

// limitLog replaces a format and attributes that are too long for the number of filter chains by the default.
func (s *Scope) limitLog() {
	if s.AccessLog == nil || s.AccessLog.Fits(s.chains()) {
		return
	}
	s.AddLimited(entity.Ref{Kind: telemetry.Kind, Name: s.AccessLog.Policy})
	s.AccessLog = s.AccessLog.WithoutTexts()
}

// chains returns about how many filter chains the listeners of the sidecar have.
func (s *Scope) chains() int {
	count := len(s.Inbound) + len(s.Ingress) + chainsFor(s.Inbound)
	for i := range s.Outbound {
		if s.SharesListener(&s.Outbound[i]) {
			continue
		}
		count++
		count += max(0, len(s.Outbound[i].ConnectionRoutes)-1)
	}
	for _, port := range s.EgressPorts {
		count += 1 + len(port.Hosts)
		for _, r := range port.Ranges {
			count += 1 + len(r.ServerNames)
		}
	}
	return count
}
