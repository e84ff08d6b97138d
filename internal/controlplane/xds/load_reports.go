package xds

import (
	"context"
	"time"

	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	loadstatsv3 "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
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
	client, err := s.beginReports(stream)
	if err != nil {
		return err
	}
	defer s.removeReports(client)
	return s.receiveReports(client)
}

// beginReports authenticates a client and waits for the discovery stream of its pod.
func (s *Server) beginReports(stream loadstatsv3.LoadReportingService_StreamLoadStatsServer) (*loadClient, error) {
	peer, err := s.authenticate(stream.Context())
	if err != nil {
		return nil, err
	}
	conn := connectionOf(stream.Context())
	peer.Address = conn.address()
	ctx, cancel := context.WithTimeout(stream.Context(), discoveryTimeout)
	defer cancel()
	ads, err := s.config.Store.AwaitStream(ctx, peer)
	if err != nil {
		return nil, s.connectStatus(peer, err)
	}
	client := &loadClient{peer: peer, ads: ads, stream: stream, endExemption: conn.beginStream(), isFirst: true}
	if older := s.loadClients.add(client, s.config.Loads); older != nil {
		s.endReports(older, snapshot.ErrSuperseded)
	}
	client.expiry = time.AfterFunc(peer.Expiry.Sub(s.config.Now()), func() { s.endReports(client, delta.ErrExpired) })
	s.endWithDiscovery(client)
	return client, nil
}

func (s *Server) removeReports(client *loadClient) {
	client.expiry.Stop()
	s.loadClients.remove(client)
	client.reporter.Unregister()
	client.endExemption()
}

// receiveReports records reports until the stream ends. It is the only goroutine of the stream: others end it with endReports. The first
// message has no loads.
func (s *Server) receiveReports(client *loadClient) error {
	timeout := time.AfterFunc(firstRequestTimeout, func() { s.endReports(client, errNoRequest) })
	for {
		report, err := client.stream.Recv()
		if err != nil {
			if timeout != nil {
				timeout.Stop()
			}
			return client.endStatus()
		}
		if timeout != nil {
			timeout.Stop()
			timeout = nil
			client.start()
		} else {
			s.recordReport(client.reporter, client.ads, report)
			client.recordServers(report)
			handledFunc(client.stream.Context(), report)()
		}
		s.requestReports(client)
		if !client.pause() {
			return client.endStatus()
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
