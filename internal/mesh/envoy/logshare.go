package envoy

import (
	"slices"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message/logfilter"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// slowRequest is the duration of requests that are always logged, and of longer ones.
const slowRequest = time.Second

// loggedRequests selects all but a number of a million requests, the slow ones, and those that fail: the filters select failures, and so do the flags of
// Envoy. It is nil if all requests are logged. A policy that has a filter decides alone.
func loggedRequests(log *telemetry.AccessLog, unlogged uint32, failures ...*accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	if unlogged == 0 || log != nil && log.Filter != "" {
		return nil
	}
	return logfilter.Either(slices.Concat(failures, []*accesslogv3.AccessLogFilter{
		logfilter.Flags(), logfilter.Duration(slowRequest), marked, logfilter.Share(catalog.AllRequests - unlogged),
	})...)
}

// tapHeader marks requests of a sidecar that logs them all. Route configurations add it, because they can change without draining connections, which the
// loggers of a listener cannot. It is visible for the application that receives the request.
const tapHeader = "x-osm-tap"

// marked selects the requests with tapHeader.
var marked = &accesslogv3.AccessLogFilter{
	FilterSpecifier: &accesslogv3.AccessLogFilter_HeaderFilter{HeaderFilter: &accesslogv3.HeaderFilter{Header: message.Header(tapHeader, message.Exact("1"))}},
}

var tapMark = &corev3.HeaderValueOption{
	Header: &corev3.HeaderValue{Key: tapHeader, Value: "1"}, AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
}

// markRequests adds tapHeader to the requests of a proxy that logs them all.
func (s *translation) markRequests(configs []*routev3.RouteConfiguration) {
	if !s.logsShare() || !s.MarksRequests && (s.Key.Proxy == scope.ProxySidecar || !s.Key.Tapped) {
		return
	}
	for _, config := range configs {
		config.RequestHeadersToAdd = append(slices.Clip(config.GetRequestHeadersToAdd()), tapMark)
	}
}

// removeMarks removes tapHeader from the requests of clients: they do not decide what a server logs.
func (s *translation) removeMarks(config *routev3.RouteConfiguration) {
	if s.logsShare() {
		config.RequestHeadersToRemove = append(slices.Clip(config.GetRequestHeadersToRemove()), tapHeader)
	}
}

func (s *translation) logsShare() bool { return s.UnloggedRequests > 0 && !s.Key.Class.OSM }
