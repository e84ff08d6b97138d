package verdict

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// callsPort is the port of an application of gRPC.
const callsPort = 8097

// TestLoadReports_OfCalls checks that load reports, and so the gate of an upgrade that needs no Prometheus, count failures of gRPC. The HTTP status of all calls is
// 200, also of those that the server's sidecar answers for a stopped application.
func TestLoadReports_OfCalls(t *testing.T) {
	t.Parallel()
	n := NewNetwork(t)
	good := Service("a", "s1", "x", virtualAddress(1).String(), 80, inventory.ProtocolGRPC)
	good.Ports[0].TargetPort = callsPort
	broken := Service("a", "s2", "x", virtualAddress(2).String(), 80, inventory.ProtocolGRPC)
	broken.Ports[0].TargetPort = deadPort
	n.Reset(t, podsOnly().with([]catalog.Change{catalog.Set(&catalog.Settings{Permissive: true}), catalog.Set(good), catalog.Set(broken)}))
	for _, p := range n.pods {
		server := grpc.NewServer()
		grpc_health_v1.RegisterHealthServer(server, health.NewServer())
		listener := p.NS.Listen(t, nstest.Address("127.0.0.1", callsPort))
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(server.Stop)
	}
	const client, called, notFound, failed = 3, 20, 10, 5 // the index of a pod with the third account
	const attempts = 3 * failed                           // a call that no application has seen is repeated twice
	eventually.True(t, 4*loadstats.Interval, "all sidecars report", func() bool { return n.control.loads.Read().Reporting == len(pods) })
	for range called {
		n.call(t, client, 1, "", codes.OK)
	}
	for range notFound {
		n.call(t, client, 1, "unknown", codes.NotFound)
	}
	for range failed {
		n.call(t, client, 2, "", codes.Unavailable)
	}
	want := map[string]loadstats.Counts{
		"a/s1|8097": {Issued: called + notFound, Succeeded: called + notFound}, "a/s2|8099": {Issued: attempts, Failed: attempts},
	}
	got := map[string]loadstats.Counts{}
	eventually.True(t, 4*loadstats.Interval, "the calls are reported", func() bool {
		for _, p := range n.control.loads.Read().Pairs {
			if p.Client == accounts[client-1] && p.Issued > 0 {
				got[p.Cluster] = p.Counts
			}
		}
		return got["a/s1|8097"].Issued+got["a/s2|8099"].Issued >= called+notFound+attempts
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// call asks for the health of a service behind a virtual address, and requires a status.
func (n *Network) call(t *testing.T, pod int, address byte, service string, want codes.Code) {
	t.Helper()
	to := netip.AddrPortFrom(virtualAddress(address), 80).String()
	conn, err := grpc.NewClient("passthrough:///"+to, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, to string) (net.Conn, error) { return n.pods[pod].NS.Dial(ctx, "tcp", to) }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service}); status.Code(err) != want {
		t.Fatalf("a call to %s for %q: %v, want %s", to, service, err, want)
	}
}
