package xds

import (
	"time"

	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	loadstats "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	book "github.com/openservicemesh/osm-operator/internal/loadstats"
	"github.com/openservicemesh/osm-operator/internal/snapshot"
)

const (
	// quietInterval is how often a sidecar reports when nothing is asked for. It is longer than a connection lives.
	quietInterval = time.Hour
	// minReport is how often reports of one sidecar are read at most. What comes faster waits in its connection.
	minReport = book.Interval / 10
)

// StreamLoadStats takes load reports, and asks for them only while somebody reads. A stream that nothing is asked of stays open:
// a sidecar whose stream is refused would try again for ever.
//
// Reports count under the identity of the token, and only while the pod has a stream of discovery in this replica: a token alone
// does not make a sidecar.
func (s *Server) StreamLoadStats(stream loadstats.LoadReportingService_StreamLoadStatsServer) error {
	peer, err := s.authenticate(stream.Context())
	if err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return nil
	}
	reporter := s.config.Loads.Join(peer.PodUID, peer.ServiceAccount)
	defer reporter.Leave()
	reports := make(chan *loadstats.LoadStatsRequest)
	go func() {
		defer close(reports)
		receiveReports(stream, reports)
	}()
	return s.ended(peer, s.takeReports(stream, peer, reporter, reports))
}

// receiveReports passes reports on until the stream ends.
func receiveReports(stream loadstats.LoadReportingService_StreamLoadStatsServer, reports chan<- *loadstats.LoadStatsRequest) {
	for {
		report, err := stream.Recv()
		if err != nil {
			return
		}
		select {
		case reports <- report:
		case <-stream.Context().Done():
			return
		}
	}
}

// takeReports asks for reports and takes them until the stream ends or must.
func (s *Server) takeReports(stream loadstats.LoadReportingService_StreamLoadStatsServer, peer Peer, reporter *book.Reporter, reports <-chan *loadstats.LoadStatsRequest) error {
	expiry := time.NewTimer(peer.Expiry.Sub(s.config.Now()))
	defer expiry.Stop()
	lapse, pause := time.NewTimer(quietInterval), time.NewTimer(0)
	defer lapse.Stop()
	defer pause.Stop()
	open, asking, told := (<-chan *loadstats.LoadStatsRequest)(nil), false, false
	for {
		until, changed := s.config.Loads.Asked()
		left := until.Sub(s.config.Now())
		if ask := left > 0; ask != asking || !told {
			if err := stream.Send(askFor(ask)); err != nil {
				return nil
			}
			asking, told = ask, true
		}
		if asking {
			lapse.Reset(left)
		}
		select {
		case <-stream.Context().Done():
			return nil
		case <-expiry.C:
			return snapshot.ErrExpired
		case <-reporter.Ended():
			return snapshot.ErrSuperseded
		case <-changed:
		case <-lapse.C:
		case <-pause.C:
			open = reports
		case report, more := <-open:
			if !more {
				return nil
			}
			if asking {
				s.enter(peer, reporter, report)
			}
			open = nil
			pause.Reset(minReport)
		}
	}
}

// askFor is what a sidecar is told: to report about all its clusters, or about none.
func askFor(reports bool) *loadstats.LoadStatsResponse {
	if !reports {
		return &loadstats.LoadStatsResponse{LoadReportingInterval: durationpb.New(quietInterval)}
	}
	return &loadstats.LoadStatsResponse{SendAllClusters: true, LoadReportingInterval: durationpb.New(book.Interval)}
}

// enter brings a report into the book. All of its clusters have nearly the same interval; the longest counts.
func (s *Server) enter(peer Peer, reporter *book.Reporter, report *loadstats.LoadStatsRequest) {
	if !s.config.Store.Connected(peer.PodUID) {
		s.metrics.dropped.Add(float64(len(report.GetClusterStats())))
		return
	}
	var loads []book.Load
	within := time.Duration(0)
	for _, stats := range report.GetClusterStats() {
		within = max(within, stats.GetLoadReportInterval().AsDuration())
		loads = append(loads, loadOf(stats))
	}
	s.metrics.dropped.Add(float64(reporter.Report(loads, within)))
}

func loadOf(stats *endpoint.ClusterStats) book.Load {
	load := book.Load{Cluster: stats.GetClusterName()}
	for _, locality := range stats.GetUpstreamLocalityStats() {
		load.Counts = load.Plus(book.Counts{
			Issued: locality.GetTotalIssuedRequests(), Succeeded: locality.GetTotalSuccessfulRequests(), Failed: locality.GetTotalErrorRequests(),
		})
	}
	return load
}
