package fleet

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	loadstats "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// window is the HTTP/2 window of a connection in bytes. Like Envoy's, it is larger than any configuration.
const window = 16 << 20

// Fleet holds the sidecars of a mesh.
type Fleet struct {
	// Addresses makes each sidecar connect from a loopback address of its own, as pods do.
	Addresses bool

	sidecars []*sidecar

	requests, bytes, last atomic.Int64
	// opened is the number of sidecars that have opened their stream, and reporting that of accepted streams of load reports.
	opened, reporting atomic.Int64

	stop   context.CancelFunc
	ended  sync.WaitGroup
	mu     sync.Mutex
	failed error
}

// sidecar is one sidecar across connections. It receives the events of its connection.
type sidecar struct {
	fleet     *Fleet
	id, token string
	envoy     *fakexds.Envoy
	expect    expectation
	// destinations are those that the sidecar asks for.
	destinations []string
}

// New returns the sidecars of a mesh, with a token for each.
func New(m *mesh.Mesh, tokens []string) *Fleet {
	f := &Fleet{}
	for i, token := range tokens {
		f.sidecars = append(f.sidecars, &sidecar{fleet: f, id: m.NodeID(i), token: token, destinations: m.Destinations(i)})
	}
	f.Forget()
	return f
}

// Forget removes the resources of all sidecars.
func (f *Fleet) Forget() {
	for i, envoy := range fakexds.NewEnvoys(len(f.sidecars)) {
		f.sidecars[i].envoy = envoy
	}
}

// TLS returns the settings of the sidecars' connections, as in Envoy.
func TLS(root *certificate.Root, serverName string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root.CertPEM())
	return &tls.Config{RootCAs: pool, ServerName: serverName, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}}
}

// Connect connects all sidecars concurrently. They stay connected until Disconnect.
func (f *Fleet) Connect(address string, config *tls.Config) {
	for _, count := range []*atomic.Int64{&f.requests, &f.bytes, &f.opened, &f.reporting} {
		count.Store(0)
	}
	f.failed = nil
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	for i, s := range f.sidecars {
		f.ended.Go(func() {
			if err := s.run(ctx, address, config, f.dialer(i)); err != nil && ctx.Err() == nil {
				f.fail(fmt.Errorf("%s: %w", s.id, err))
			}
		})
	}
}

// dialer returns the dialer of a sidecar.
func (f *Fleet) dialer(sidecar int) *net.Dialer {
	if !f.Addresses {
		return &net.Dialer{}
	}
	const perByte = 250
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(sidecar/perByte), byte(sidecar%perByte+1))}}
}

// Disconnect closes all connections.
func (f *Fleet) Disconnect() {
	f.stop()
	f.ended.Wait()
}

func (f *Fleet) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		f.failed = err
	}
}

// Err returns the error of a failed connection, or nil.
func (f *Fleet) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// Traffic counts the requests and responses of all sidecars since Connect.
type Traffic struct {
	// Requests is a number of messages. Bytes is the size of the responses without framing and encryption.
	Requests, Bytes int64
	// Last is the time of the last response, in nanoseconds since 1970.
	Last int64
	// Complete is true if every sidecar has opened its stream.
	Complete bool
	// Reporting is true if the control plane has accepted the stream of load reports of every sidecar.
	Reporting bool
}

// Traffic returns the traffic so far.
func (f *Fleet) Traffic() Traffic {
	all := int64(len(f.sidecars))
	return Traffic{
		Requests: f.requests.Load(), Bytes: f.bytes.Load(), Last: f.last.Load(), Complete: f.opened.Load() == all, Reporting: f.reporting.Load() == all,
	}
}

// run connects a sidecar and responds to the server until ctx or the stream ends.
func (s *sidecar) run(ctx context.Context, address string, config *tls.Config, dialer *net.Dialer) error {
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(credentials.NewTLS(config)), grpc.WithStatsHandler(s),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}),
		grpc.WithInitialConnWindowSize(window), grpc.WithInitialWindowSize(window),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		return err
	}
	defer conn.Close()
	s.fleet.ended.Go(func() { s.reportLoads(ctx, conn) })
	return fakexds.RunOver(ctx, conn, fakexds.Options{Token: s.token, NodeID: s.id, Applied: s.expect.received, Destinations: s.destinations}, s.envoy)
}

// reportLoads keeps the stream of load reports open that every sidecar has, and opens it again when it ends, as Envoy does: a control plane rejects it if the
// discovery stream opens too late. Nobody reads loads, so none are sent. A control plane without load reports has no such stream.
func (s *sidecar) reportLoads(ctx context.Context, conn *grpc.ClientConn) {
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", s.token)
	for ctx.Err() == nil && status.Code(s.reportOnce(ctx, conn)) != codes.Unimplemented {
		select {
		case <-ctx.Done():
		case <-time.After(reportAgain):
		}
	}
}

// reportAgain is how long a sidecar waits before it opens the stream of load reports again.
const reportAgain = time.Second

// reportOnce returns why the stream of load reports ends.
func (s *sidecar) reportOnce(ctx context.Context, conn *grpc.ClientConn) error {
	stream, err := loadstats.NewLoadReportingServiceClient(conn).StreamLoadStats(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&loadstats.LoadStatsRequest{Node: &core.Node{Id: s.id}}); err != nil {
		_, err := stream.Recv()
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return err
	}
	s.fleet.reporting.Add(1)
	defer s.fleet.reporting.Add(-1)
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
}

// HandleRPC implements stats.Handler. Only the discovery stream counts.
func (s *sidecar) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if ctx.Value(isDiscovery{}) == nil {
		return
	}
	switch event := event.(type) {
	case *stats.OutHeader:
		s.fleet.opened.Add(1)
	case *stats.OutPayload:
		s.fleet.requests.Add(1)
		if event.Payload.(*discovery.DeltaDiscoveryRequest).GetResponseNonce() != "" {
			s.expect.acknowledged()
		}
	case *stats.InPayload:
		s.fleet.bytes.Add(int64(event.Length))
		s.fleet.last.Store(event.RecvTime.UnixNano())
	}
}

// TagRPC implements stats.Handler.
func (s *sidecar) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	if info.FullMethodName == loadstats.LoadReportingService_StreamLoadStats_FullMethodName {
		return ctx
	}
	return context.WithValue(ctx, isDiscovery{}, true)
}

// isDiscovery is the key of contexts of discovery streams.
type isDiscovery struct{}

// HandleConn implements stats.Handler.
func (s *sidecar) HandleConn(context.Context, stats.ConnStats) {}

// TagConn implements stats.Handler.
func (s *sidecar) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// expectation holds the resources that a sidecar waits for.
type expectation struct {
	mu sync.Mutex
	// exact are resources that must arrive in this form.
	exact map[mesh.ResourceKey]uint64
	// missing is the number of resources of each type that must arrive, with any content.
	missing map[string]int
	// touched is true once any resource has arrived.
	touched bool
	wait    *Wait
}

// Wait waits until sidecars have the expected resources.
type Wait struct {
	left atomic.Int64
	done chan struct{}
}

func newWait(sidecars int) *Wait {
	w := &Wait{done: make(chan struct{})}
	w.left.Store(int64(sidecars))
	if sidecars == 0 {
		close(w.done)
	}
	return w
}

// Done is closed when all sidecars have the expected resources and have acknowledged them.
func (w *Wait) Done() <-chan struct{} { return w.done }

// received records the arrival of resources.
func (e *expectation) received(r *discovery.DeltaDiscoveryResponse) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, resource := range r.GetResources() {
		e.touched = true
		n := mesh.ResourceKey{TypeURL: r.GetTypeUrl(), Name: resource.GetName()}
		if expected, ok := e.exact[n]; ok && expected == mesh.Hash(resource.GetResource().GetValue()) {
			delete(e.exact, n)
		}
		e.missing[n.TypeURL]--
	}
}

// acknowledged ends the wait if nothing is missing.
func (e *expectation) acknowledged() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.wait == nil || len(e.exact) > 0 {
		return
	}
	for _, n := range e.missing {
		if n > 0 {
			return
		}
	}
	if e.wait.left.Add(-1) == 0 {
		close(e.wait.done)
	}
	e.wait = nil
}

// ExpectAll makes every sidecar wait for as many resources of each type as the list has.
func (f *Fleet) ExpectAll(list []mesh.Resource) *Wait {
	w := newWait(len(f.sidecars))
	for _, s := range f.sidecars {
		missing := map[string]int{}
		for _, r := range list {
			missing[r.TypeURL]++
		}
		s.expect.replace(nil, missing, w)
	}
	return w
}

// Expect makes the sidecars of services wait for resources.
func (f *Fleet) Expect(differences map[int][]mesh.Resource) *Wait {
	w := newWait(len(differences) * mesh.PodsPerService)
	for i, s := range f.sidecars {
		exact := map[mesh.ResourceKey]uint64{}
		for _, r := range differences[i/mesh.PodsPerService] {
			exact[r.ResourceKey] = r.Hash
		}
		if len(exact) > 0 {
			s.expect.replace(exact, map[string]int{}, w)
		} else {
			s.expect.replace(nil, map[string]int{}, nil)
		}
	}
	return w
}

func (e *expectation) replace(exact map[mesh.ResourceKey]uint64, missing map[string]int, w *Wait) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.exact, e.missing, e.wait, e.touched = exact, missing, w, false
}

// Touched returns the number of sidecars with any response since the last Expect, and of those that did not need one.
func (f *Fleet) Touched(differences map[int][]mesh.Resource) (touched, needlessly int) {
	for i, s := range f.sidecars {
		s.expect.mu.Lock()
		if s.expect.touched {
			touched++
			if len(differences[i/mesh.PodsPerService]) == 0 {
				needlessly++
			}
		}
		s.expect.mu.Unlock()
	}
	return touched, needlessly
}

// Missing describes the missing resources of one sidecar for an error message; it is empty if there are none.
func (f *Fleet) Missing() string {
	for _, s := range f.sidecars {
		s.expect.mu.Lock()
		waits, exact, missing := s.expect.wait != nil, slices.Collect(maps.Keys(s.expect.exact)), maps.Clone(s.expect.missing)
		s.expect.mu.Unlock()
		if waits {
			return fmt.Sprintf("%s waits for %v and these numbers of others: %v", s.id, exact, missing)
		}
	}
	return ""
}

const (
	issuer        = "https://issuer.bench"
	audience      = "bench"
	keyID         = "bench"
	tokenLifetime = 12 * time.Hour
)

// Credentials returns the keys of a mesh with an authority, and a token for each of its sidecars. Tokens are signed as an API server does: RS256 with
// 2048 bits.
func Credentials(root *certificate.Root, m *mesh.Mesh) (server.Setup, []string, error) {
	setup := server.Setup{RootCert: root.CertPEM(), Issuer: issuer, Audience: audience}
	var err error
	if setup.RootKey, err = root.KeyPEM(); err != nil {
		return setup, nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return setup, nil, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}, nil)
	if err != nil {
		return setup, nil, err
	}
	public := jose.JSONWebKey{Key: key.Public(), KeyID: keyID, Algorithm: "RS256", Use: "sig"}
	if setup.Keys, err = json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}}); err != nil {
		return setup, nil, err
	}
	tokens := make([]string, m.Sidecars())
	for i := range tokens {
		if tokens[i], err = token(signer, m.Pod(i)); err != nil {
			return setup, nil, err
		}
	}
	return setup, tokens, nil
}

// token returns the service account token of a pod.
func token(signer jose.Signer, pod *inventory.Instance) (string, error) {
	type named struct {
		Name string `json:"name"`
		UID  string `json:"uid"`
	}
	claims := jwt.Claims{
		Issuer: issuer, Audience: jwt.Audience{audience},
		Subject: "system:serviceaccount:" + pod.Name.Namespace + ":" + pod.ServiceAccount,
		Expiry:  jwt.NewNumericDate(time.Now().Add(tokenLifetime)),
	}
	bound := map[string]any{"kubernetes.io": map[string]any{
		"namespace":      pod.Name.Namespace,
		"pod":            named{pod.Name.Name, string(pod.ID)},
		"serviceaccount": named{pod.ServiceAccount, mesh.AccountUID(pod.Identity())},
	}}
	return jwt.Signed(signer).Claims(claims).Claims(bound).Serialize()
}
