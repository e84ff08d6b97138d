package envoy

import (
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	grpclogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/grpc/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	customtagv3 "github.com/envoyproxy/go-control-plane/envoy/type/tracing/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message/logfilter"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// DenialLog is the name of the log of denials that sidecars send to the control plane.
	DenialLog = "denied"
	// DetailsTag is the tag of its entries with the details of the response.
	DetailsTag = "details"
	// IdentityTag is the tag of its entries with the DNS names in the client's certificate.
	IdentityTag = "identity"
	// DenialInterval is the time between two messages of a sidecar with few denials.
	DenialInterval = 5 * time.Second
)

// denialLog sends what a filter selects to the control plane. Nothing is connected before the first entry. All loggers of a sidecar have the same
// configuration, so each of its threads has one stream for all of them. The entries have no headers: they are small whatever the request.
func denialLog(filter *accesslogv3.AccessLogFilter) *accesslogv3.AccessLog {
	config := &grpclogv3.CommonGrpcAccessLogConfig{
		LogName:             DenialLog,
		GrpcService:         message.GRPC(names.Controller),
		TransportApiVersion: corev3.ApiVersion_V3,
		BufferFlushInterval: durationpb.New(DenialInterval),
		CustomTags:          []*customtagv3.CustomTag{customTag(DetailsTag, "%RESPONSE_CODE_DETAILS%"), customTag(IdentityTag, "%DOWNSTREAM_PEER_DNS_SAN%")},
	}
	return message.AccessLog("denials", filter, &grpclogv3.TcpGrpcAccessLogConfig{CommonConfig: config})
}

func customTag(tag, value string) *customtagv3.CustomTag {
	return &customtagv3.CustomTag{Tag: tag, Type: &customtagv3.CustomTag_Value{Value: value}}
}

// Filters of denials.
var (
	deniedRequest = logfilter.Both(maybeDenied, logfilter.Expression("denied",
		"has(response.code_details) && ("+requestDenied+" || response.code_details == '"+routeNotFound+"' || "+
			"response.code_details.startsWith('"+AuthorizationDetails+"'))"))
	// maybeDenied selects all denied requests and few others, without an expression: nearly all requests are allowed.
	maybeDenied = logfilter.Either(
		logfilter.Flags("NR", "UAEX"),
		&accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_MetadataFilter{MetadataFilter: &accesslogv3.MetadataFilter{
			Matcher: &matcherv3.MetadataMatcher{
				Filter: httpRBACFilter,
				Path:   []*matcherv3.MetadataMatcher_PathSegment{{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: engineResult}}},
				Value:  &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{StringMatch: message.Exact("denied")}},
			},
			MatchIfKeyNotFound: wrapperspb.Bool(false),
		}}},
	)
	// toUnknownDestination selects requests to a destination that does not exist, or that no policy allows. Only clusters of destinations have metadata of
	// the mesh. The expression runs for requests without an endpoint.
	toUnknownDestination = logfilter.Both(logfilter.Flags("UH"), logfilter.Expression("unknown destination",
		"!('"+metadataNamespace+"' in xds.cluster_metadata.filter_metadata)"))
	// deniedOrUnmatched selects connections that a policy denies, or that match no filter chain, such as plaintext.
	deniedOrUnmatched = logfilter.Either(unmatched, denied)
)
