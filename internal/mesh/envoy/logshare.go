package envoy

import (
	"slices"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message/logfilter"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
)

// slowRequest is the duration of requests that are always logged, and of longer ones.
const slowRequest = time.Second

const million = 1_000_000

// loggedRequests selects all but a number of a million requests, the slow ones, and those that fail: the filters select failures, and so do the flags of
// Envoy. It is nil if all requests are logged. A policy that has a filter decides alone.
func loggedRequests(log *telemetry.AccessLog, unlogged uint32, failures ...*accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	if unlogged == 0 || log != nil && log.Filter != "" {
		return nil
	}
	return logfilter.Either(slices.Concat(failures, []*accesslogv3.AccessLogFilter{
		logfilter.Flags(), logfilter.Duration(slowRequest), logfilter.Share(million - unlogged),
	})...)
}
