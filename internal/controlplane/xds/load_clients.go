package xds

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	loadstatsv3 "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
)

// loadClient is a sidecar with an open stream of load reports. Its goroutine only receives, so that an idle stream needs one goroutine and one timer.
type loadClient struct {
	peer     Peer
	ads      *snapshot.Stream
	reporter *loadstats.Reporter
	stream   loadstatsv3.LoadReportingService_StreamLoadStatsServer
	expiry   *time.Timer

	mu sync.Mutex
	// isFirst is true until the first report since somebody reads.
	isFirst bool
	// interval is what was requested last, 0 for nothing.
	interval time.Duration
	servers  []loadstats.Server
	// ended is the status of a stream that the server ended.
	ended error
}

// loadClients are the clients of a Server by their discovery stream.
type loadClients struct {
	mu       sync.Mutex
	byStream map[*snapshot.Stream]*loadClient
}

// add registers and adds a client, and returns the one that it replaces, or nil. Of two streams of an Envoy that begin at once, the one that stays is the
// registered one.
func (c *loadClients) add(client *loadClient, loads *loadstats.Store) (older *loadClient) {
	c.mu.Lock()
	defer c.mu.Unlock()
	client.reporter = loads.Register(client.peer.InstanceID, client.peer.ServiceAccount, client.ads.Revision())
	older = c.byStream[client.ads]
	c.byStream[client.ads] = client
	return older
}

func (c *loadClients) remove(client *loadClient) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byStream[client.ads] == client {
		delete(c.byStream, client.ads)
	}
}

func (c *loadClients) of(ads *snapshot.Stream) *loadClient {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byStream[ads]
}

func (c *loadClients) all() []*loadClient {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.byStream))
}

// keepRequesting requests other reports of all clients when somebody begins or ceases to read, and when the servers of a sidecar change, until ctx ends.
func (s *Server) keepRequesting(ctx context.Context) {
	for {
		until, changed := s.config.Loads.ReportsRequestedUntil()
		serversChanged := s.config.Store.DecisionServersChanged()
		for _, client := range s.loadClients.all() {
			s.endWithDiscovery(client)
			s.requestReports(client)
		}
		leaseEnd := time.NewTimer(time.Hour)
		leaseEnd.Stop()
		if remaining := until.Sub(s.config.Now()); remaining > 0 {
			leaseEnd.Reset(remaining)
		}
		select {
		case <-ctx.Done():
			leaseEnd.Stop()
			return
		case <-changed:
		case <-leaseEnd.C:
		case <-serversChanged:
		}
		leaseEnd.Stop()
	}
}

// requestReports sends what a client should report, if it differs from what was requested last. A client that reads nothing blocks nobody: the few
// small messages of a stream fit into its buffer.
func (s *Server) requestReports(client *loadClient) {
	until, _ := s.config.Loads.ReportsRequestedUntil()
	isRead := s.config.Now().Before(until)
	servers := client.ads.DecisionServers()
	client.mu.Lock()
	defer client.mu.Unlock()
	if client.ended != nil {
		return
	}
	client.servers = servers
	client.isFirst = client.isFirst || !isRead
	interval := s.reportInterval(isRead, client)
	if interval == client.interval {
		return
	}
	client.interval = interval
	// Recv returns the error of a broken stream.
	_ = client.stream.Send(&loadstatsv3.LoadStatsResponse{SendAllClusters: true, LoadReportingInterval: durationpb.New(interval)})
}

// recordServers records whether the servers of a sidecar answered it. It has none unless it is connected.
func (c *loadClient) recordServers(report *loadstatsv3.LoadStatsRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isFirst = false
	for _, stats := range report.GetClusterStats() {
		for _, server := range c.servers {
			if server.Cluster == stats.GetClusterName() {
				c.reporter.ReportServer(server, loadOf(stats).Counts)
			}
		}
	}
}

// pause waits until the next report may be read. It returns false if the stream ends.
func (c *loadClient) pause() bool {
	timer := time.NewTimer(minReportInterval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.stream.Context().Done():
		return false
	}
}

// endStatus is the status of a stream that has ended; nil if the client ended it.
func (c *loadClient) endStatus() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// endWithDiscovery ends the stream of load reports of a pod whose discovery stream has ended.
func (s *Server) endWithDiscovery(client *loadClient) {
	select {
	case <-client.ads.Removed():
		s.endReports(client, snapshot.ErrNotConnected)
	default:
	}
}

// endReports ends a stream of load reports. Its goroutine waits for the client.
func (s *Server) endReports(client *loadClient, cause error) {
	client.mu.Lock()
	defer client.mu.Unlock()
	if client.ended != nil {
		return
	}
	client.ended = s.streamStatus(client.peer, cause)
	finishStream(client.stream.Context(), status.Convert(client.ended))
}

// finishStream ends a stream whose handler is in Recv, which then returns an error. gRPC has no function for this, but its streams have the method.
// Without it the connection is closed.
func finishStream(ctx context.Context, end *status.Status) {
	if stream, ok := grpc.ServerTransportStreamFromContext(ctx).(interface{ WriteStatus(*status.Status) error }); ok {
		_ = stream.WriteStatus(end)
		return
	}
	connectionOf(ctx).abort()
}
