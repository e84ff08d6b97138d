package xds

import (
	"context"
	"hash/fnv"
	"slices"
	"time"

	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	loadstatsv3 "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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
// them, reports about authorization and rate limit servers always, and one of each connection of a sidecar that loads destinations on demand. The stream
// stays open otherwise, because Envoy retries a rejected stream forever. Envoy counts the requests to all clusters since the stream began, so that the first
// report has the average of the pause.
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
	if _, err := s.awaitDiscovery(stream.Context(), peer, nil); err != nil {
		return err
	}
	defer conn.beginStream()()
	epoch, err := receiveEpoch(stream)
	if err != nil {
		return s.streamStatus(peer, err)
	}
	client, err := s.beginReports(stream, peer, epoch)
	if err != nil {
		return err
	}
	defer s.removeReports(client)
	return s.receiveReports(client)
}

// awaitDiscovery waits for the discovery stream of a pod. A nil epoch accepts that of any of its Envoys.
func (s *Server) awaitDiscovery(ctx context.Context, peer Peer, epoch *uint64) (*snapshot.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, discoveryTimeout)
	defer cancel()
	ads, err := s.config.Store.AwaitStream(ctx, peer, epoch)
	if err != nil {
		return nil, s.connectStatus(peer, err)
	}
	return ads, nil
}

// receiveEpoch receives the first message, which has no loads, and returns the epoch of the client.
func receiveEpoch(stream loadstatsv3.LoadReportingService_StreamLoadStatsServer) (uint64, error) {
	timeout := time.AfterFunc(firstRequestTimeout, func() {
		finishStream(stream.Context(), status.New(codes.DeadlineExceeded, errNoRequest.Error()))
	})
	first, err := stream.Recv()
	if !timeout.Stop() {
		return 0, errNoRequest
	}
	if err != nil {
		return 0, err
	}
	handledFunc(stream.Context(), first)()
	return epochOf(first.GetNode()), nil
}

// beginReports registers a client with the discovery stream of its Envoy.
func (s *Server) beginReports(stream loadstatsv3.LoadReportingService_StreamLoadStatsServer, peer Peer, epoch uint64) (*loadClient, error) {
	ads, err := s.awaitDiscovery(stream.Context(), peer, &epoch)
	if err != nil {
		return nil, err
	}
	client := &loadClient{peer: peer, ads: ads, stream: stream, isFirst: true}
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
}

// receiveReports records reports until the stream ends. It is the only goroutine of the stream: others end it with endReports.
func (s *Server) receiveReports(client *loadClient) error {
	for {
		s.requestReports(client)
		if !client.pause() {
			return client.endStatus()
		}
		report, err := client.stream.Recv()
		if err != nil {
			return client.endStatus()
		}
		s.recordReport(client.reporter, client.ads, report)
		client.recordServers(report)
		handledFunc(client.stream.Context(), report)()
	}
}

// reportInterval returns how often a sidecar reports. One with servers reports about all clusters whenever it reports about its servers: Envoy
// discards what it counted for clusters that were not requested. The caller holds the client's mu.
func (s *Server) reportInterval(isRead bool, client *loadClient) time.Duration {
	switch {
	case isRead && client.isFirst:
		return s.config.Loads.FirstInterval()
	case isRead:
		return loadstats.Interval
	case len(client.servers) > 0:
		return loadstats.ServerInterval
	case client.ads.LoadsOnDemand():
		return usageInterval(client.peer)
	}
	return idleReportInterval
}

// usageInterval is the report interval of a sidecar that loads destinations on demand while nobody reads: from 15 to 25 minutes, so that each connection has
// one report, and those of sidecars that connected together are not. The report shows which destinations the sidecar uses.
func usageInterval(peer Peer) time.Duration {
	const least, spread = 15 * 60, 10 * 60 // seconds
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(peer.InstanceID))
	return time.Duration(least+hash.Sum32()%spread) * time.Second
}

// recordReport records a report. Its interval is the longest of all clusters; they are nearly equal.
func (s *Server) recordReport(reporter *loadstats.Reporter, ads *snapshot.Stream, report *loadstatsv3.LoadStatsRequest) {
	var loads []loadstats.Load
	interval := time.Duration(0)
	for _, stats := range report.GetClusterStats() {
		interval = max(interval, stats.GetLoadReportInterval().AsDuration())
		load := loadOf(stats)
		if load.Issued > 0 || hasRequests(stats) {
			ads.UseDestination(load.Cluster)
		}
		load.Cluster = ads.ClusterName(load.Cluster)
		loads = append(loads, load)
	}
	s.metrics.droppedLoads.Add(float64(reporter.Report(loads, interval)))
}

// hasRequests reports whether requests or connections to a cluster are in progress.
func hasRequests(stats *endpoint.ClusterStats) bool {
	return slices.ContainsFunc(stats.GetUpstreamLocalityStats(), func(l *endpoint.UpstreamLocalityStats) bool { return l.GetTotalRequestsInProgress() > 0 })
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
