package envoy

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message/logfilter"
)

// Filters of access loggers.
var (
	noHealthCheck = &accesslogv3.AccessLogFilter{
		FilterSpecifier: &accesslogv3.AccessLogFilter_NotHealthCheckFilter{NotHealthCheckFilter: &accesslogv3.NotHealthCheckFilter{}},
	}
	connectionStart = logfilter.Type(datav3.AccessLogType_TcpUpstreamConnected)
	connectionEnd   = logfilter.Type(datav3.AccessLogType_TcpConnectionEnd)
	// below400 also selects requests without a response.
	below400   = logfilter.Status(accesslogv3.ComparisonFilter_LE, 399)
	atLeast400 = logfilter.Status(accesslogv3.ComparisonFilter_GE, 400)
	// fulfilled selects what unfulfilled does not: requests whose responses have a status of 400 or more, or a status of gRPC other than OK.
	fulfilled   = logfilter.Both(below400, logfilter.Either(ofHTTP, logfilter.GRPCStatus(false)))
	unfulfilled = logfilter.Either(atLeast400, logfilter.Both(ofGRPC, logfilter.GRPCStatus(true)))
	// ofGRPC selects the calls of gRPC. Envoy infers a status of gRPC for other requests too.
	ofGRPC, ofHTTP = withContent(false), withContent(true)
	// unmatched selects connections that match no filter chain.
	unmatched = logfilter.Flags("NR")
	denied    = logfilter.Expression("denied", connectionDenied)
)

// withContent selects requests of gRPC, or all others, by their content type.
func withContent(others bool) *accesslogv3.AccessLogFilter {
	header := message.Header("content-type", message.Prefix("application/grpc"))
	header.InvertMatch, header.TreatMissingHeaderAsEmpty = others, true
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_HeaderFilter{HeaderFilter: &accesslogv3.HeaderFilter{Header: header}}}
}
