package xds

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	loadstats "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	book "github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

func newStream(ctx context.Context, conn *grpc.ClientConn) (discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient, error) {
	return discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
}

// reporter is the load report stream of a fake sidecar.
type reporter struct {
	t      *testing.T
	stream loadstats.LoadReportingService_StreamLoadStatsClient
}

func (c *control) reporter(t *testing.T, token string) reporter {
	t.Helper()
	conn, ctx := c.dial(t, token)
	stream, err := loadstats.NewLoadReportingServiceClient(conn).StreamLoadStats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// io.EOF means that the server has ended the stream. The next Recv returns the reason.
	if err := stream.Send(&loadstats.LoadStatsRequest{}); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return reporter{t, stream}
}

// expectInterval waits for the next response: report all clusters every second and then every 5 seconds, or only count.
func (r reporter) expectInterval(reports bool) {
	r.t.Helper()
	response, err := r.stream.Recv()
	if err != nil {
		r.t.Fatal(err)
	}
	interval := response.GetLoadReportingInterval().AsDuration()
	isFrequent := interval == book.Interval || interval == book.FirstInterval
	if !response.GetSendAllClusters() || len(response.GetClusters()) > 0 || reports != isFrequent || !reports && interval < maxConnectionAge {
		r.t.Errorf("the response is %v", response)
	}
}

// loadReport is a report about one cluster.
func loadReport(cluster string, succeeded, failed uint64) *loadstats.LoadStatsRequest {
	localities := []*endpoint.UpstreamLocalityStats{
		{TotalIssuedRequests: succeeded, TotalSuccessfulRequests: succeeded}, {TotalIssuedRequests: failed, TotalErrorRequests: failed},
	}
	return &loadstats.LoadStatsRequest{ClusterStats: []*endpoint.ClusterStats{{
		ClusterName: cluster, UpstreamLocalityStats: localities, LoadReportInterval: durationpb.New(book.Interval),
	}}}
}

func (r reporter) report(cluster string, succeeded, failed uint64) {
	r.t.Helper()
	if err := r.stream.Send(loadReport(cluster, succeeded, failed)); err != nil {
		r.t.Fatal(err)
	}
}

// TestLoadReports covers a sidecar that reports while reports are read, and stops afterwards.
func TestLoadReports(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	token := c.tokenOf(m.client)
	r := c.reporter(t, token) // waits for the discovery stream
	c.connect(t, token, fakexds.NewEnvoy()).waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
	r.expectInterval(false)
	if loads := c.loads.Read(); loads.Sidecars != 1 || loads.Reporting != 0 {
		t.Errorf("before anything is reported: %+v", loads)
	}
	r.expectInterval(true)
	r.report("a/server|80", 30, 10)
	r.expectInterval(true)
	eventually.True(t, waitLimit, "the report of the sidecar is stored", func() bool { return len(c.loads.Read().Pairs) > 0 })
	got := c.loads.Read()
	want := book.Counts{Issued: 40, Succeeded: 30, Failed: 10}
	if len(got.Pairs) != 1 || got.Pairs[0].Counts != want || got.Pairs[0].Client != m.client.Identity() || got.Pairs[0].Rate() != 8 {
		t.Errorf("the report is stored as %+v, want one pair of client %s with %+v and 8 requests per second", got.Pairs, m.client.Identity(), want)
	}
	c.later.Store(int64(book.Lease + time.Second))
	r.report("a/server|80", 1, 0) // wakes the stream: its timer does not use the fake clock
	r.expectInterval(false)
	c.loads.Read()
	r.expectInterval(true)
}

// TestLoadReportsNeedAToken also opens a second stream of a pod, which ends the first.
func TestLoadReportsNeedAToken(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	c.connect(t, c.tokenOf(m.client), fakexds.NewEnvoy()).waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
	rejected := c.reporter(t, "what")
	if _, err := rejected.stream.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("an invalid token got %v", err)
	}
	older := c.reporter(t, c.tokenOf(m.client))
	older.expectInterval(false)
	newer := c.reporter(t, c.tokenOf(m.client))
	newer.expectInterval(false)
	if _, err := older.stream.Recv(); status.Code(err) != codes.Aborted {
		t.Errorf("the older stream ended with %v", err)
	}
	eventually.True(t, waitLimit, "one sidecar has a stream for load reports", func() bool { return c.loads.Read().Sidecars == 1 })
}

// TestLoadReportsNeedADiscoveryStream opens streams of a pod that has no discovery stream, or no longer.
func TestLoadReportsNeedADiscoveryStream(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	token := c.tokenOf(m.client)
	p := c.connect(t, token, fakexds.NewEnvoy())
	p.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
	ended := c.reporter(t, token)
	ended.expectInterval(false)
	p.cancel()
	if _, err := ended.stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("after the discovery stream the stream of load reports ended with %v", err)
	}
	began := time.Now()
	alone := c.reporter(t, c.tokenOf(m.server))
	if _, err := alone.stream.Recv(); status.Code(err) != codes.Unavailable && status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("without a discovery stream it ended with %v", err)
	}
	if took := time.Since(began); took > discoveryTimeout+latest {
		t.Errorf("a stream without a discovery stream ended after %s, want about %s", took, discoveryTimeout)
	}
	eventually.True(t, waitLimit, "no sidecar reports", func() bool { return c.loads.Read().Sidecars == 0 })
}

func TestLoadReportsEndWithTheToken(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	c.connect(t, c.tokenOf(m.client), fakexds.NewEnvoy()).waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
	peer := peerOf(m.client)
	peer.Expiry = time.Now().Add(2 * time.Second) // a busy machine must open the stream before
	c.tokens.peers.Store("short", peer)
	r := c.reporter(t, "short")
	r.expectInterval(false)
	if _, err := r.stream.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("ended with %v", err)
	}
}

// startUnserved starts a mesh with a sidecar that has no server to report about, and returns the policy that gives it one.
func startUnserved(t *testing.T) (*control, reporter, *extauthz.Policy) {
	t.Helper()
	m := newMesh()
	policy := &extauthz.Policy{Name: entity.Name{Namespace: "a", Name: "authz"}, Service: entity.Name{Namespace: "a", Name: "opa"}, Timeout: time.Second}
	c := start(t, append(m.entries(), &catalog.ExtensionService{Name: policy.Service, Address: "192.0.2.9", Port: 9191})...)
	c.store.MarkSynced()
	token := c.tokenOf(m.server)
	c.connect(t, token, fakexds.NewEnvoy()).waitFor(t, fakexds.ListenerType, "inbound-listener")
	r := c.reporter(t, token)
	r.expectInterval(false)
	return c, r, policy
}

// TestReportsBeginWithAServer gives a connected sidecar an authorization server, and takes it away. It reports about it at once, in a period without ticks.
func TestReportsBeginWithAServer(t *testing.T) {
	c, r, policy := startUnserved(t)
	expect := func(interval time.Duration) {
		t.Helper()
		began := time.Now()
		response, err := r.stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if got, took := response.GetLoadReportingInterval().AsDuration(), time.Since(began); got != interval || took > book.ServerInterval/4 {
			t.Errorf("after %s, the interval is %s, want %s at once", took, got, interval)
		}
	}
	c.apply(policy)
	expect(book.ServerInterval)
	c.remove(policy)
	expect(idleReportInterval)
}

// TestReportsAboutServers has a sidecar with an authorization server. It reports about the server without a reader, and its reports about
// servers of others are ignored.
func TestReportsAboutServers(t *testing.T) {
	m := newMesh()
	policy := entity.Name{Namespace: "a", Name: "authz"}
	c := start(t, append(m.entries(),
		&extauthz.Policy{Name: policy, Service: entity.Name{Namespace: "a", Name: "opa"}, Timeout: time.Second},
		&catalog.ExtensionService{Name: entity.Name{Namespace: "a", Name: "opa"}, Address: "192.0.2.9", Port: 9191})...)
	c.store.MarkSynced()
	token := c.tokenOf(m.server)
	c.connect(t, token, fakexds.NewEnvoy()).waitFor(t, fakexds.ClusterType, "external-authorization|namespace")
	r := c.reporter(t, token)
	response, err := r.stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if !response.GetSendAllClusters() || response.GetLoadReportingInterval().AsDuration() != book.ServerInterval {
		t.Errorf("the response is %v", response)
	}
	r.report("ratelimit|192.0.2.1:1", 0, 5)
	r.report("external-authorization|namespace", 0, 5)
	eventually.True(t, waitLimit, "the failure of the authorization server is stored", func() bool { return len(c.loads.Failures()) > 0 })
	failures := c.loads.Failures()
	want := book.Failure{Server: book.Server{Cluster: "external-authorization|namespace", Policy: policy}, Client: m.server.Identity(), Sidecars: 1, Since: failures[0].Since}
	if len(failures) != 1 || failures[0] != want {
		t.Errorf("failures %+v, want %+v", failures, want)
	}
	r.report("external-authorization|namespace", 5, 0)
	eventually.True(t, waitLimit, "the failure of the authorization server is forgotten", func() bool { return len(c.loads.Failures()) == 0 })
	c.loads.Read()
	r.expectInterval(true)
	r.report("external-authorization|namespace", 0, 5)
	eventually.True(t, waitLimit, "the failure of the authorization server is stored again", func() bool { return len(c.loads.Failures()) == 1 })
}
