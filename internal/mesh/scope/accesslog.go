package scope

import "github.com/openservicemesh/osm-operator/internal/mesh/catalog"

// AccessLog is what a Telemetry changes about the access log of a sidecar.
type AccessLog struct {
	// Policy is the Telemetry in force.
	Policy catalog.Name
	// Text is the format of a line. If it is empty, Fields are the keys and formats of a line of JSON; empty for the default.
	Text   string
	Fields map[string]string
	// Filter is a CEL expression that selects what is logged; empty for everything.
	Filter string
	// Export is where logs are sent in addition to standard output; nil for nowhere.
	Export *LogExport
}

// LogExport is an OpenTelemetry collector that receives access logs.
type LogExport struct {
	Service catalog.ExtensionService
	// Attributes are added to each record. Their values may have the command operators of a format.
	Attributes map[string]string
}

// AccessLogOf returns what the Telemetry in force changes; nil without one.
func AccessLogOf(v *catalog.View, key Key) *AccessLog {
	policy := v.Telemetry(key.Telemetry)
	if policy == nil {
		return nil
	}
	log := &AccessLog{Policy: policy.Name, Text: policy.Text, Fields: policy.Fields, Filter: policy.Filter}
	if service := v.ExtensionService(policy.Name.Namespace, policy.Export); service != nil {
		log.Export = &LogExport{Service: *service, Attributes: policy.Attributes}
	}
	return log
}
