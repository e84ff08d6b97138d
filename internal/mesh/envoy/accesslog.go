package envoy

import (
	"maps"
	"slices"

	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	statsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stats/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message/logfilter"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
)

// loggers are the access loggers of each kind of listener.
type loggers struct {
	// outboundRequests log the requests of the local application.
	outboundRequests []*accesslogv3.AccessLog
	// sharedRequests are outboundRequests where many destinations share a connection manager.
	sharedRequests []*accesslogv3.AccessLog
	// inboundRequests log requests of other workloads, without health checks of their sidecars. The response to a denied one must have a status of 400
	// or more, or else authorizedRequests log them.
	inboundRequests, authorizedRequests []*accesslogv3.AccessLog
	// outboundConnections log the TCP connections of the local application.
	outboundConnections []*accesslogv3.AccessLog
	// inboundConnections log TCP connections of other workloads.
	inboundConnections []*accesslogv3.AccessLog
	// outboundListener logs the connections of the local application that are closed, because no policy allows their destination.
	outboundListener []*accesslogv3.AccessLog
	// unroutedConnections logs the connections that no TLSRoute or TCPRoute selects.
	unroutedConnections []*accesslogv3.AccessLog
	// inboundListener also logs and counts the connections that a policy denies. On HTTP ports they never become requests.
	inboundListener []*accesslogv3.AccessLog
}

// standardLoggers are those of sidecars without a Telemetry. They are the same everywhere, so that shared resources stay shared.
var standardLoggers = newLoggers(nil, 0)

// inboundRequestLoggers returns the loggers of inbound requests. Authorization servers may deny them with any status, such as a redirect.
func inboundRequestLoggers(s *translation) []*accesslogv3.AccessLog {
	if s.ExternalAuthorization != nil || len(s.Authorizations) > 0 {
		return s.logs().authorizedRequests
	}
	return s.logs().inboundRequests
}

// newLoggers returns loggers that a Telemetry configures; nil for the default. Unlogged is how many of a million requests are not logged.
func newLoggers(log *telemetry.AccessLog, unlogged uint32) *loggers {
	metrics := telemetry.AllMetrics
	if log != nil {
		metrics = log.Metrics
	}
	countWithin := func(limits *typev3.Scope, filter *accesslogv3.AccessLogFilter, stats []stat) []*accesslogv3.AccessLog {
		if metrics == telemetry.NoMetrics {
			return nil
		}
		return []*accesslogv3.AccessLog{statsLog(limits, filter, stats)}
	}
	count := func(filter *accesslogv3.AccessLogFilter, stats []stat) []*accesslogv3.AccessLog {
		return countWithin(ownStats, filter, stats)
	}
	requests := count(noHealthCheck, inboundRequestStats)
	if metrics == telemetry.AllMetrics {
		requests = append(requests, statsLog(ownStats, noHealthCheck, inboundRouteStats))
	}
	requests = append(requests, denialLog(deniedRequest))
	withDenials, logged := inboundFormat(deniedBy(requestDenial)), loggedRequests(log, unlogged, unfulfilled)
	outbound := telemetry.Loggers(log, logged, accessLogFormat)
	return &loggers{
		outboundRequests:   slices.Concat(outbound, count(nil, outboundRequestStats)),
		sharedRequests:     slices.Concat(outbound, countWithin(sharedStats, nil, outboundRequestStats)),
		inboundRequests:    slices.Concat(requestLogs(log, unlogged, withDenials), requests),
		authorizedRequests: slices.Concat(telemetry.Loggers(log, logfilter.Both(noHealthCheck, logged), withDenials), requests),
		outboundConnections: slices.Concat(telemetry.Loggers(log, connectionEnd, accessLogFormat),
			count(connectionStart, outboundOpenedStats), count(connectionEnd, outboundClosedStats)),
		inboundConnections: slices.Concat(telemetry.Loggers(log, connectionEnd, inboundFormat(deniedBy(connectionDenial))),
			count(connectionStart, inboundOpenedStats), count(connectionEnd, inboundClosedStats)),
		outboundListener:    append(telemetry.Loggers(log, unmatched, closedFormat()), denialLog(unmatched)),
		unroutedConnections: telemetry.Loggers(log, unmatched, unroutedFormat()),
		inboundListener: slices.Concat(telemetry.Loggers(log, unmatched, inboundFormat(noPolicy)),
			telemetry.Loggers(log, logfilter.Expression("denied request connection", deniedBeforeRequest), inboundFormat(noPolicy)),
			[]*accesslogv3.AccessLog{statsLog(ownStats, denied, inboundDeniedStats), denialLog(deniedOrUnmatched)}),
	}
}

// accessLogFormat has OSM's keys, which log pipelines of users parse.
var accessLogFormat = map[string]string{
	"start_time":            "%START_TIME%",
	"method":                "%REQ(:METHOD)%",
	"path":                  "%REQ(:PATH)%",
	"protocol":              "%PROTOCOL%",
	"response_code":         "%RESPONSE_CODE%",
	"response_code_details": "%RESPONSE_CODE_DETAILS%",
	"time_to_first_byte":    "%RESPONSE_DURATION%",
	"upstream_cluster":      "%UPSTREAM_CLUSTER%",
	"response_flags":        "%RESPONSE_FLAGS%",
	"bytes_received":        "%BYTES_RECEIVED%",
	"bytes_sent":            "%BYTES_SENT%",
	"duration":              "%DURATION%",
	"upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
	"x_forwarded_for":       "%REQ(X-FORWARDED-FOR)%",
	"user_agent":            "%REQ(USER-AGENT)%",
	"request_id":            "%REQ(X-REQUEST-ID)%",
	"requested_server_name": "%REQUESTED_SERVER_NAME%",
	"authority":             "%REQ(:AUTHORITY)%",
	"upstream_host":         "%UPSTREAM_HOST%",
}

// Keys of the mesh, where a sidecar decides. SourceIdentityKey has the client's identity, which its certificate proves, and DeniedByKey what
// denied the request. DestinationKey has the address "<IP>:<port>" of a connection that the client's own sidecar closed.
const (
	SourceIdentityKey = "source_identity"
	DeniedByKey       = "denied_by"
	DestinationKey    = "destination_address"
)

// inboundFormat is accessLogFormat for the sidecar of a server. DeniedBy is a command operator.
func inboundFormat(deniedBy string) map[string]string {
	format := maps.Clone(accessLogFormat)
	format[SourceIdentityKey], format[DeniedByKey] = "%DOWNSTREAM_PEER_DNS_SAN%", deniedBy
	return format
}

// closedFormat is accessLogFormat for connections that the sidecar of the client closes.
func closedFormat() map[string]string {
	format := maps.Clone(accessLogFormat)
	format[DestinationKey], format[DeniedByKey] = "%DOWNSTREAM_LOCAL_ADDRESS%", noPolicy
	return format
}

// unroutedFormat is closedFormat for connections that a policy may allow, and no route selects.
func unroutedFormat() map[string]string {
	format := closedFormat()
	delete(format, DeniedByKey)
	return format
}

// requestLogs are the loggers of requests that are denied with a status of 400 or more, or with a status of gRPC. For the others the format has no
// expression, which would cost as much as all other keys.
func requestLogs(log *telemetry.AccessLog, unlogged uint32, withDenials map[string]string) []*accesslogv3.AccessLog {
	if log.HasOwnFormat() {
		return telemetry.Loggers(log, logfilter.Both(noHealthCheck, loggedRequests(log, unlogged, unfulfilled)), withDenials)
	}
	logged := logfilter.Both(noHealthCheck, logfilter.Both(loggedRequests(log, unlogged), fulfilled)) // most requests of a share end at its first filter
	return append(telemetry.Loggers(log, logged, inboundFormat("")), telemetry.Loggers(log, logfilter.Both(noHealthCheck, unfulfilled), withDenials)...)
}

// stat is a counter, or a histogram if it has a unit.
type stat struct {
	name string
	// value is a command operator; empty counts by one.
	value  string
	unit   statsv3.Config_Histogram_Unit
	labels []label
}

// label is a label of a stat, with the command operator of its value. No label has the pod of a peer, or anything else that a
// request contains: the number of series would be unbounded.
type label struct{ name, value string }

// statsLog counts what a filter selects, within the limits of a scope.
func statsLog(limits *typev3.Scope, filter *accesslogv3.AccessLogFilter, stats []stat) *accesslogv3.AccessLog {
	var rules map[string]*xdsmatcherv3.Matcher
	if limits == sharedStats {
		rules = sharedRules
	}
	config := &statsv3.Config{StatsScope: limits}
	for _, s := range stats {
		named := &statsv3.Config_Stat{Name: s.name}
		for _, l := range s.labels {
			named.Tags = append(named.Tags, &statsv3.Config_Tag{Name: l.name, ValueFormat: l.value, Rules: rules[l.name]})
		}
		switch {
		case s.unit != statsv3.Config_Histogram_Unspecified:
			config.Histograms = append(config.Histograms, &statsv3.Config_Histogram{Stat: named, Unit: s.unit, ValueFormat: s.value})
		case s.value != "":
			config.Counters = append(config.Counters, &statsv3.Config_Counter{Stat: named, ValueFormat: s.value})
		default:
			config.Counters = append(config.Counters, &statsv3.Config_Counter{Stat: named, ValueFixed: wrapperspb.UInt64(1)})
		}
	}
	return message.AccessLog("stats", filter, config)
}
