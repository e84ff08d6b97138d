package verdict

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/go-logr/logr/testr"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/denials"
	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/xds"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
	podstest "github.com/openservicemesh/osm-operator/internal/testing/pods"
)

const trustDomain = "mesh.test"

// control is a control plane without Kubernetes: the test applies changes to its catalog.
type control struct {
	store   *snapshot.Store
	loads   *loadstats.Store
	denials *denials.Store
	manager *certificate.Manager
	root    *certificate.Root
	rootPEM []byte
	// gate has the connections of the sidecars.
	gate *gate
	// outside issues the certificates of servers outside the mesh.
	outside *pki.Authority
	// peers issues the certificates of clients of peers.
	peers *peerKeys
	// osm has the UUIDs of pods with a sidecar of Open Service Mesh.
	osm map[entity.Name]string
}

// tokens authenticates pods with static tokens.
type tokens struct{}

// Authenticate implements xds.Authenticator.
func (tokens) Authenticate(_ context.Context, token string) (xds.Peer, error) {
	for i, p := range pods {
		if token != tokenOf(i) {
			continue
		}
		sa := identity.ServiceAccount{Namespace: p.name.Namespace, Name: p.account}
		return xds.Peer{
			Pod: p.name, InstanceID: entity.InstanceID("uid-" + p.name.Name), ServiceAccount: sa, ServiceAccountUID: accountUID(sa), Expiry: time.Now().Add(24 * time.Hour),
		}, nil
	}
	return xds.Peer{}, errors.New("no such token")
}

// serve runs the control plane on a listener until the test ends.
func serve(t testing.TB, listener net.Listener) *control {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := &control{
		gate: newGate(listener), root: root, rootPEM: root.CertPEM(), loads: loadstats.NewStore(time.Now),
		denials: denials.NewStore(time.Now), outside: pki.New(t),
	}
	key, err := root.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	c.peers = newPeerKeys(t, pki.Load(t, c.rootPEM, key))
	manager := certificate.NewManager(certificate.Options{
		Root: root, TrustDomain: trustDomain, Lifetime: 24 * time.Hour, Now: time.Now, Jitter: rand.Float64,
		Rotated: func(sa identity.ServiceAccount) { c.store.CertificateRotated(sa) }, RootChanged: func() { c.store.RootChanged() },
	})
	c.manager = manager
	metrics := prometheus.NewRegistry()
	log := testr.NewWithInterface(t, testr.Options{})
	c.store = snapshot.NewStore(snapshot.Config{Certificates: manager, Log: log, Metrics: metrics, Now: time.Now})
	server, err := xds.NewServer(xds.Config{
		Bridge: &xds.Bridge{Until: time.Now().Add(time.Hour), TrustDomain: trustDomain, Roots: manager.Root},
		Store:  c.store, Authenticator: tokens{}, Log: log, Metrics: metrics, Loads: c.loads, Denials: c.denials, Compatibility: compatibility.Current(),
		TLS: certificate.NewServerCertificate(manager, time.Now, names.ADSCommonName(trustDomain)).TLSConfig(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 3)
	go func() {
		manager.Run(ctx, func(err error) { t.Error(err) })
		done <- nil
	}()
	go func() { done <- c.store.Run(ctx) }()
	go func() { done <- server.Serve(ctx, c.gate) }()
	t.Cleanup(func() {
		cancel()
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return c
}

// apply applies changes and returns when the store has processed them. Sidecars receive them later. Usable authorities and peers have the
// certificates of authorities of this test.
func (c *control) apply(list []catalog.Change) {
	list = slices.Clone(list)
	for i, change := range list {
		if authorities, ok := change.Entry.(*catalog.BackendAuthorities); ok && authorities.Problem == "" {
			list[i] = catalog.Set(&catalog.BackendAuthorities{Name: authorities.Name, PEM: c.outside.RootPEM})
		}
		if pod, ok := change.Entry.(*inventory.Instance); ok && c.osm[pod.Name] != "" {
			list[i] = catalog.Set(c.withOSMSidecar(pod))
		}
		if peer, ok := change.Entry.(*catalog.Peer); ok {
			declared := *peer
			declared.RootsPEM = c.peers.authorities[peer.Name].RootPEM
			list[i] = catalog.Set(&declared)
		}
	}
	c.store.Apply(list)
	// The query is answered after the changes; its result does not matter.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _ = c.store.Connect(ctx, snapshot.Peer{}, func() {})
}

// withOSMSidecar returns a pod with a sidecar of Open Service Mesh instead of one of the mesh. Clusters of that time have IPv4 alone.
func (c *control) withOSMSidecar(pod *inventory.Instance) *inventory.Instance {
	other := *pod
	other.Injected, other.OSMSidecar, other.OnDemand, other.Revision, other.IPs = false, true, false, "", pod.IPs[:1]
	other.Labels = maps.Clone(pod.Labels)
	other.Labels[names.ProxyUUIDLabel] = c.osm[pod.Name]
	return &other
}

// progress returns the number of resources sent, whether all sidecars have responded, and a rejection, if any.
func (c *control) progress() (sent uint64, answered bool, rejection string) {
	proxies := c.store.Proxies()
	answered = len(proxies) == len(pods)
	for _, proxy := range proxies {
		for kind, status := range proxy.Types {
			sent += status.Sent
			answered = answered && !status.IsAwaitingAnswer()
			if status.Rejection != "" {
				rejection = proxy.Pod.String() + " rejects " + kind.String() + ": " + status.Rejection
			}
		}
	}
	return sent, answered, rejection
}

// authorizer is an authorization server. It denies requests that have a word in a header, with a status of its own.
type authorizer struct {
	authv3.UnimplementedAuthorizationServer

	port   uint16
	header string
	status typev3.StatusCode
}

// authorizers are the authorization servers. They listen on the first address outside the mesh.
var authorizers = []*authorizer{
	{port: 9195, header: "x-user", status: typev3.StatusCode_Unauthorized},
	{port: 9196, header: "x-other", status: typev3.StatusCode_PaymentRequired},
}

const (
	// deniedWord is the word that authorizers deny.
	deniedWord = "bob"
	// absentAuthorizerPort is a port without a server.
	absentAuthorizerPort = 9197
)

// Check implements authv3.AuthorizationServer.
func (a *authorizer) Check(_ context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	if !strings.Contains(r.GetAttributes().GetRequest().GetHttp().GetHeaders()[a.header], deniedWord) {
		return &authv3.CheckResponse{}, nil
	}
	return &authv3.CheckResponse{
		Status:       &status.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{Status: &typev3.HttpStatus{Code: a.status}}},
	}, nil
}

// denies reports whether the server denies a request.
func (a *authorizer) denies(r Request) bool {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, a.header) && strings.Contains(h.Value, deniedWord) {
			return true
		}
	}
	return false
}

// isRejection reports whether an observation is the status of an authorization server.
func isRejection(seen string) bool {
	return slices.ContainsFunc(authorizers, func(a *authorizer) bool { return seen == strconv.Itoa(int(a.status)) })
}

// authorizerAt returns the authorization server on a port; nil if there is none.
func authorizerAt(port uint16) *authorizer {
	i := slices.IndexFunc(authorizers, func(a *authorizer) bool { return a.port == port })
	if i < 0 {
		return nil
	}
	return authorizers[i]
}

// serveAuthorizers runs the authorization servers in a pod without a sidecar.
func serveAuthorizers(t testing.TB, pod *podstest.Pod) {
	t.Helper()
	for _, a := range authorizers {
		server := grpc.NewServer()
		authv3.RegisterAuthorizationServer(server, a)
		listener := pod.NS.Listen(t, nstest.Address(outsideAddresses[0].String(), a.port))
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(server.Stop)
	}
}
