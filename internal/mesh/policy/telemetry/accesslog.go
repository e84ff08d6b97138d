package telemetry

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// AccessLog is what a policy changes about the access log of a sidecar, and about its metrics, which are access loggers too.
type AccessLog struct {
	// Policy is the policy in force.
	Policy entity.Name
	// Text is the format of a line. If it is empty, Fields are the keys and formats of a line of JSON; empty for the default.
	Text   string
	Fields map[string]string
	// Filter is a CEL expression that selects what is logged; empty for everything.
	Filter string
	// Export is where logs are sent in addition to standard output; nil for nowhere.
	Export *Export
	// Metrics are the metrics of requests and connections.
	Metrics Metrics
}

// Export is an OpenTelemetry collector that receives access logs.
type Export struct {
	Service catalog.ExtensionService
	// Attributes are added to each record. Their values may have the command operators of a format.
	Attributes map[string]string
}

// Cluster is the name of the collector's cluster.
func (e *Export) Cluster() string { return "extension|" + e.Service.Name.String() }

// HasOwnFormat reports whether lines have another format than the default. The log may be nil.
func (l *AccessLog) HasOwnFormat() bool { return l != nil && (l.Text != "" || len(l.Fields) > 0) }

// AccessLogOf returns what a policy changes; nil without one.
func AccessLogOf(v *catalog.View, name entity.Name) *AccessLog {
	policy := Named(v, name)
	if policy == nil {
		return nil
	}
	log := &AccessLog{Policy: policy.Name, Text: policy.Text, Fields: policy.Fields, Filter: policy.Filter, Metrics: policy.Metrics}
	if service := v.ExtensionService(policy.Name.Namespace, policy.Export); service != nil {
		log.Export = &Export{Service: *service, Attributes: policy.Attributes}
	}
	return log
}

// MaxLogBytes is how many bytes the format and the attributes of a policy have in all listeners of a sidecar, at most. Each filter chain has them.
const MaxLogBytes = 16 << 20

// Fits reports whether the format and attributes are short enough for a number of filter chains.
func (l *AccessLog) Fits(chains int) bool { return l.bytes()*chains <= MaxLogBytes }

// WithoutTexts returns the log with the default format and without attributes.
func (l *AccessLog) WithoutTexts() *AccessLog {
	log := *l
	log.Text, log.Fields = "", nil
	if log.Export != nil {
		log.Export = &Export{Service: log.Export.Service}
	}
	return &log
}

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
