package verdict

import (
	"context"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// slowAuthorizer allows every request when the test lets it.
type slowAuthorizer struct {
	authv3.UnimplementedAuthorizationServer

	asked, decide chan struct{}
}

func (a slowAuthorizer) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	a.asked <- struct{}{}
	<-a.decide
	return &authv3.CheckResponse{}, nil
}

// TestRemovedAuthorizer_FinishesDecisions removes an authorization server while it decides. The cluster of the server must outlive its decisions:
// Envoy aborts them with the cluster, and the request would fail although the server allows it.
func TestRemovedAuthorizer_FinishesDecisions(t *testing.T) {
	t.Parallel()
	n := NewNetwork(t)
	a := slowAuthorizer{asked: make(chan struct{}, 1), decide: make(chan struct{})}
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, a)
	listener := n.outside.NS.Listen(t, nstest.Address(n.outside.IP.String(), authorizerPort))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	service := Service("a", "s1", "x", virtualAddress(1).String(), 80, inventory.ProtocolHTTP)
	service.Ports[0].TargetPort = webPort
	w := podsOnly().with([]catalog.Change{
		catalog.Set(service), catalog.Set(newPod(0, "y", ready)), catalog.Set(newPod(2, "y", ready)), catalog.Set(Group("a", "g1", "/a")),
		catalog.Set(Target("one", accounts[1], []catalog.TargetRule{HTTP("g1")}, accounts[0])),
	})
	n.Reset(t, w.with([]catalog.Change{catalog.Set(&catalog.Settings{Namespace: meshNamespace, ExternalAuthorization: &catalog.ExternalAuthorization{
		Address: n.outside.IP.String(), Port: authorizerPort, StatPrefix: "x", Timeout: responseTimeout,
	}})}))
	seen := make(chan string, 1)
	go func() { seen <- n.send(webRequest("/a")) }()
	select {
	case <-a.asked:
	case <-time.After(responseTimeout):
		t.Fatal("the server is never asked")
	}
	n.Reset(t, w.with([]catalog.Change{catalog.Set(&catalog.Settings{Namespace: meshNamespace})}))
	close(a.decide)
	if got := <-seen; got != "p2:8080" {
		t.Errorf("a request that the server allows after its removal sees %q, want p2:8080", got)
	}
}
