package scope

import "github.com/openservicemesh/osm-operator/internal/mesh/catalog"

// maxLogBytes is how many bytes the format and the attributes of a Telemetry have in all listeners of a sidecar, at most. Each filter chain has them.
const maxLogBytes = 16 << 20

// limitLog replaces a format and attributes that are too long for the number of filter chains by the default.
func (s *Scope) limitLog() {
	if s.AccessLog == nil || s.AccessLog.Fits(s.chains()) {
		return
	}
	s.AddLimited(catalog.Ref{Kind: catalog.KindTelemetry, Name: s.AccessLog.Policy})
	log := *s.AccessLog
	log.Text, log.Fields = "", nil
	if log.Export != nil {
		log.Export = &LogExport{Service: log.Export.Service}
	}
	s.AccessLog = &log
}

// Fits reports whether the format and attributes are short enough for a number of filter chains.
func (l *AccessLog) Fits(chains int) bool { return l.bytes()*chains <= maxLogBytes }

// bytes returns the length of the texts that each filter chain has.
func (l *AccessLog) bytes() int {
	size := len(l.Text)
	lists := []map[string]string{l.Fields}
	if l.Export != nil {
		lists = append(lists, l.Export.Attributes)
	}
	for _, fields := range lists {
		for key, value := range fields {
			size += len(key) + len(value)
		}
	}
	return size
}

// chains returns about how many filter chains the listeners of the sidecar have.
func (s *Scope) chains() int {
	count := len(s.Inbound) + len(s.Ingress)
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
