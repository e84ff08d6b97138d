package pods

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// Answer is the result of a call: a status and a body, or an error.
type Answer struct {
	Status int
	Body   string
	Header http.Header
	Err    error
}

// Get requests a URL from the application of the pod. Headers are "name: value"; "host" sets the authority.
func (p *Pod) Get(t testing.TB, url string, headers ...string) Answer {
	t.Helper()
	return p.Call(t, http.MethodGet, url, headers...)
}

// Call is Get with any method.
func (p *Pod) Call(t testing.TB, method, url string, headers ...string) Answer {
	t.Helper()
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if strings.EqualFold(name, "host") {
			request.Host = value
			continue
		}
		// Direct assignment keeps the spelling of the name.
		request.Header[name] = append(request.Header[name], value)
	}
	return do(p.NS.HTTP(), request)
}

// GetHTTP2 is Get over HTTP/2 without TLS, as gRPC clients use it.
func (p *Pod) GetHTTP2(t testing.TB, url string) Answer {
	t.Helper()
	return p.GetHTTP2Within(t, url, 5*time.Second)
}

// GetHTTP2Within is GetHTTP2 with a time limit.
func (p *Pod) GetHTTP2Within(t testing.TB, url string, timeout time.Duration) Answer {
	t.Helper()
	transport := &http.Transport{DialContext: p.NS.Dial, Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(&http.Client{Transport: transport, Timeout: timeout}, request)
}

func do(client *http.Client, request *http.Request) Answer {
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return Answer{Err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return Answer{Status: response.StatusCode, Body: string(body), Header: response.Header, Err: err}
}

// Dial connects from the application of the pod to an address. Reads and writes time out after five seconds.
func (p *Pod) Dial(t testing.TB, address string) (net.Conn, error) {
	t.Helper()
	conn, err := p.NS.Dial(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, conn.SetDeadline(time.Now().Add(5 * time.Second))
}

// Exchange connects, sends the text if it is not empty, and returns all data that the peer sends before it closes.
func (p *Pod) Exchange(t testing.TB, address, send string) (string, error) {
	t.Helper()
	conn, err := p.Dial(t, address)
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, send); err != nil {
		return "", err
	}
	received, err := io.ReadAll(conn)
	return string(received), err
}

// server is a minimal ADS server on a Unix socket, because these tests cover the configuration and not its delivery.
type server struct {
	socket string
	cache  cache.SnapshotCache

	denials denials

	mu         sync.Mutex
	nodes      map[int64]string
	rejections map[string]string
}

func serve(t testing.TB, socket string) *server {
	t.Helper()
	s := &server{
		socket:     socket,
		cache:      cache.NewSnapshotCache(true, cache.IDHash{}, nil),
		nodes:      map[int64]string{},
		rejections: map[string]string{},
		denials:    denials{entries: map[string][]*datav3.AccessLogCommon{}},
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(socket, 0o777); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := grpc.NewServer()
	callbacks := serverv3.CallbackFuncs{StreamDeltaRequestFunc: s.request}
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, serverv3.NewServer(ctx, s.cache, callbacks))
	accesslogv3.RegisterAccessLogServiceServer(g, &s.denials)
	go func() { _ = g.Serve(listener) }()
	t.Cleanup(func() {
		cancel()
		g.Stop()
	})
	return s
}

// request records NACKs. Only the first request of a stream contains the node.
func (s *server) request(stream int64, r *discoveryv3.DeltaDiscoveryRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := r.GetNode().GetId(); id != "" {
		s.nodes[stream] = id
	}
	if r.GetErrorDetail() != nil {
		s.rejections[s.nodes[stream]] = r.GetErrorDetail().GetMessage()
	}
	return nil
}

// rejection returns Envoy's error for the last configuration, or "".
func (s *server) rejection(node string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rejections[node]
}

func (s *server) set(t testing.TB, node string, version int, resources []envoy.Resource) {
	t.Helper()
	s.mu.Lock()
	delete(s.rejections, node)
	s.mu.Unlock()
	byType := map[resource.Type][]types.Resource{}
	for _, r := range resources {
		byType[r.TypeURL] = append(byType[r.TypeURL], r.Message)
	}
	snapshot, err := cache.NewSnapshot(strconv.Itoa(version), byType)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cache.SetSnapshot(context.Background(), node, snapshot); err != nil {
		t.Fatal(err)
	}
}
