package xds

import (
	"context"
	"io"
	"time"

	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	loadstatsv3 "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
)

const (
	// idleReportInterval is the report interval while nobody reads. It is longer than the maximum age of a connection: sidecars count, and send
	// nothing.
	idleReportInterval = time.Hour
	// minReportInterval is the minimum time between two reports of one proxy. Flow control delays earlier ones.
	minReportInterval = loadstats.Interval / 10
)

// StreamLoadStats implements loadstatsv3.LoadReportingServiceServer. Reports about all clusters are requested only while somebody reads
// them, and reports about authorization and rate limit servers always. The stream stays open otherwise, because Envoy retries a rejected
// stream forever. Envoy counts the requests to all clusters since the stream began, so that the first report has the average of the pause.
//
// Reports are recorded for the identity of the token. A token does not prove that the client is a sidecar, so the stream belongs to the
// discovery stream of its pod in this replica: it waits for it, and ends with it. Envoy opens both, in any order, and opens an ended stream again
// after a pause.
func (s *Server) StreamLoadStats(stream loadstatsv3.LoadReportingService_StreamLoadStatsServer) error {
	peer, err := s.authenticate(stream.Context())
	if err != nil {
		return err
	}
	conn := connectionOf(stream.Context())
	peer.Address = conn.address()
	ctx, cancel := context.WithTimeout(stream.Context(), discoveryTimeout)
	defer cancel()
	ads, err := s.config.Store.AwaitStream(ctx, peer)
	if err != nil {
		return s.connectStatus(peer, err)
	}
	defer conn.beginStream()()
	reporter := s.config.Loads.Register(peer.PodUID, peer.ServiceAccount, ads.Revision())
	defer reporter.Unregister()
	reports := make(chan *loadstatsv3.LoadStatsRequest)
	go func() {
		defer close(reports)
		receiveReports(stream, reports)
	}()
	if err := awaitFirstReport(reports, reporter, ads); err != nil {
		return s.streamStatus(peer, err)
	}
	return s.streamStatus(peer, s.handleReports(stream, peer, ads, reporter, reports))
}

// awaitFirstReport waits for the first message, which has no loads. The error is io.EOF if the client has closed the stream.
func awaitFirstReport(reports <-chan *loadstatsv3.LoadStatsRequest, reporter *loadstats.Reporter, ads *snapshot.Stream) error {
	timeout := time.NewTimer(firstRequestTimeout)
	defer timeout.Stop()
	select {
	case _, more := <-reports:
		if !more {
			return io.EOF
		}
		return nil
	case <-timeout.C:
		return errNoRequest
	case <-reporter.Done():
		return snapshot.ErrSuperseded
	case <-ads.Removed():
		return snapshot.ErrNotConnected
	}
}

// receiveReports forwards reports until the stream ends.
func receiveReports(stream loadstatsv3.LoadReportingService_StreamLoadStatsServer, reports chan<- *loadstatsv3.LoadStatsRequest) {
	for {
		report, err := stream.Recv()
		if err != nil {
			return
		}
		select {
		case reports <- report:
			handledFunc(stream.Context(), report)()
		case <-stream.Context().Done():
			return
		}
	}
}

// handleReports requests and records reports until the stream ends.
func (s *Server) handleReports(
	stream loadstatsv3.LoadReportingService_StreamLoadStatsServer, peer Peer, ads *snapshot.Stream, reporter *loadstats.Reporter, reports <-chan *loadstatsv3.LoadStatsRequest,
) error {
	expiry := time.NewTimer(peer.Expiry.Sub(s.config.Now()))
	defer expiry.Stop()
	requestEnd, pause := time.NewTimer(idleReportInterval), time.NewTimer(0)
	serverCheck := time.NewTicker(loadstats.ServerInterval)
	defer serverCheck.Stop()
	defer requestEnd.Stop()
	defer pause.Stop()
	// next is nil during the pause after a report.
	next, sent := (<-chan *loadstatsv3.LoadStatsRequest)(nil), (*loadstatsv3.LoadStatsResponse)(nil)
	// isFirst is true until the first report since somebody reads.
	isFirst := true
	for {
		until, changed := s.config.Loads.ReportsRequestedUntil()
		remaining := until.Sub(s.config.Now())
		servers := s.config.Store.DecisionServers(peer.PodUID)
		isFirst = isFirst || remaining <= 0
		if response := loadStatsResponse(s.reportInterval(remaining > 0, isFirst, servers)); !proto.Equal(response, sent) {
			if err := stream.Send(response); err != nil {
				return nil
			}
			sent = response
		}
		if remaining > 0 {
			requestEnd.Reset(remaining)
		}
		select {
		case <-stream.Context().Done():
			return nil
		case <-expiry.C:
			return delta.ErrExpired
		case <-reporter.Done():
			return snapshot.ErrSuperseded
		case <-ads.Removed():
			return snapshot.ErrNotConnected
		case <-changed:
		case <-requestEnd.C:
		case <-serverCheck.C:
		case <-pause.C:
			next = reports
		case report, more := <-next:
			if !more {
				return nil
			}
			s.recordReport(reporter, ads, report)
			recordServers(reporter, servers, report)
			isFirst, next = false, nil
			pause.Reset(minReportInterval)
		}
	}
}

// reportInterval returns how often a sidecar reports. One with servers reports about all clusters whenever it reports about its servers: Envoy
// discards what it counted for clusters that were not requested.
func (s *Server) reportInterval(isRead, isFirst bool, servers []loadstats.Server) time.Duration {
	switch {
	case isRead && isFirst:
		return s.config.Loads.FirstInterval()
	case isRead:
		return loadstats.Interval
	case len(servers) > 0:
		return loadstats.ServerInterval
	}
	return idleReportInterval
}

func loadStatsResponse(interval time.Duration) *loadstatsv3.LoadStatsResponse {
	return &loadstatsv3.LoadStatsResponse{SendAllClusters: true, LoadReportingInterval: durationpb.New(interval)}
}

// recordServers records whether the servers of a sidecar answered it. It has none unless it is connected.
func recordServers(reporter *loadstats.Reporter, servers []loadstats.Server, report *loadstatsv3.LoadStatsRequest) {
	for _, stats := range report.GetClusterStats() {
		for _, server := range servers {
			if server.Cluster == stats.GetClusterName() {
				reporter.ReportServer(server, loadOf(stats).Counts)
			}
		}
	}
}

// recordReport records a report. Its interval is the longest of all clusters; they are nearly equal.
func (s *Server) recordReport(reporter *loadstats.Reporter, ads *snapshot.Stream, report *loadstatsv3.LoadStatsRequest) {
	var loads []loadstats.Load
	interval := time.Duration(0)
	for _, stats := range report.GetClusterStats() {
		interval = max(interval, stats.GetLoadReportInterval().AsDuration())
		load := loadOf(stats)
		load.Cluster = ads.ClusterName(load.Cluster)
		loads = append(loads, load)
	}
	s.metrics.droppedLoads.Add(float64(reporter.Report(loads, interval)))
}

// loadOf returns the sum over all localities of a cluster.
func loadOf(stats *endpoint.ClusterStats) loadstats.Load {
	load := loadstats.Load{Cluster: stats.GetClusterName()}
	for _, locality := range stats.GetUpstreamLocalityStats() {
		load.Counts = load.Plus(loadstats.Counts{
			Issued: locality.GetTotalIssuedRequests(), Succeeded: locality.GetTotalSuccessfulRequests(), Failed: locality.GetTotalErrorRequests(),
		})
	}
	return load
}
