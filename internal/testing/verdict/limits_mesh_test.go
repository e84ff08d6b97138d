package verdict_test

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
	"github.com/openservicemesh/osm-operator/internal/testing/verdict"
)

// timeout limits waiting for any expected state.
const timeout = 10 * time.Second

// Ports of the applications.
const (
	httpPort = 7001
	tcpPort  = 7002
)

// role is a label of the server pods; its value is their service account.
const role = "role"

// Services: books has one pod, shelf two pods, and store is a TCP port.
var (
	booksIP = netip.MustParseAddr("10.96.0.1")
	shelfIP = netip.MustParseAddr("10.96.0.2")
	storeIP = netip.MustParseAddr("10.96.0.3")
	books   = Name("a", "books")
	shelf   = Name("a", "shelf")
	store   = Name("a", "store")
	// buyer is the identity of the client.
	buyer = SA("b", "three")
	// seller is the identity of the servers.
	seller = SA("a", "one")
)

// testMesh is a network with a client and two servers.
type testMesh struct {
	*verdict.Network
	client  *pods.Pod
	servers [2]*application
}

func newTestMesh(t *testing.T) *testMesh {
	t.Helper()
	n := verdict.NewNetwork(t)
	s := &testMesh{Network: n, client: n.Pod(3)}
	for i, pod := range []int{0, 2} {
		s.servers[i] = serve(t, n.Pod(pod))
	}
	return s
}

// mesh returns a permissive mesh with the Services and the given entries.
func mesh(entries ...catalog.Entry) verdict.State {
	service := func(name entity.Name, ip netip.Addr, port uint16, protocol inventory.Protocol, app string) catalog.Entry {
		s := Service(name.Namespace, name.Name, app, ip.String(), 80, protocol)
		s.Ports[0].TargetPort = port
		return s
	}
	w := verdict.Mesh(append([]catalog.Entry{
		&catalog.Settings{Permissive: true, RetryPolicies: true},
		service(books, booksIP, httpPort, inventory.ProtocolHTTP, "0"),
		service(store, storeIP, tcpPort, inventory.ProtocolTCP, "0"),
		service(shelf, shelfIP, httpPort, inventory.ProtocolHTTP, ""),
	}, entries...)...)
	for ref, e := range w {
		if p, ok := e.(*inventory.Instance); ok && p.ServiceAccount == seller.Name {
			labelled := *p
			labelled.Labels = map[string]string{role: seller.Name}
			for key, value := range p.Labels {
				labelled.Labels[key] = value
			}
			w[ref] = &labelled
		}
	}
	if s, ok := w[entity.Ref{Kind: entity.KindService, Name: shelf}].(*inventory.Service); ok {
		s.Selector = map[string]string{role: seller.Name}
	}
	return w
}

// setting returns an UpstreamTrafficSetting of a Service.
func setting(service entity.Name, change func(*upstream.Policy)) *upstream.Policy {
	u := &upstream.Policy{Kind: upstream.Kind, Name: service, Service: service}
	change(u)
	return u
}

// application counts requests, and behaves according to the path.
type application struct {
	pod *pods.Pod

	mu sync.Mutex
	// asked counts requests by path.
	asked map[string]int
	// failures is the number of further requests to /fail that fail.
	failures int
	// held blocks requests to /hold until it is closed.
	held chan struct{}
	// served are the client addresses of connections with a completed request to /once.
	served map[string]bool

	// holding counts the blocked requests, connections those to the TCP port.
	holding, connections atomic.Int32
}

func serve(t *testing.T, pod *pods.Pod) *application {
	t.Helper()
	a := &application{pod: pod}
	a.reset()
	pod.ServeHTTP(t, httpPort, a)
	pod.ServeTCP(t, tcpPort, func(conn net.Conn) {
		a.connections.Add(1)
		buffer := make([]byte, 64)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			if _, err := conn.Write(buffer[:n]); err != nil {
				return
			}
		}
	})
	t.Cleanup(a.release)
	return a
}

// reset clears the counts and sets the number of further requests to /fail that fail.
func (a *application) reset(failures ...int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked, a.served, a.held, a.failures = map[string]int{}, map[string]bool{}, make(chan struct{}), 0
	for _, n := range failures {
		a.failures += n
	}
	a.connections.Store(0)
}

// release unblocks the held requests.
func (a *application) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.held)
	a.held = make(chan struct{})
}

// count returns the number of requests for a path.
func (a *application) count(path string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[path]
}

// total returns the number of all requests.
func (a *application) total() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	sum := 0
	for _, n := range a.asked {
		sum += n
	}
	return sum
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.asked[r.URL.Path]++
	fails := a.failures > 0
	if fails && r.URL.Path != "/ok" {
		a.failures--
	}
	held, again := a.held, a.served[r.RemoteAddr]
	a.served[r.RemoteAddr] = a.served[r.RemoteAddr] || r.URL.Path == "/once"
	a.mu.Unlock()
	_, _ = io.Copy(io.Discard, r.Body)
	switch {
	case r.URL.Path == "/once" && again:
		// To the sidecar this is a server that closes an idle connection when a request arrives.
		panic(http.ErrAbortHandler)
	case r.URL.Path == "/hold":
		a.holding.Add(1)
		defer a.holding.Add(-1)
		select {
		case <-held:
		case <-r.Context().Done():
		}
	case r.URL.Path == "/grpc" && fails:
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "14")
	case r.URL.Path == "/fail" && fails:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// get requests a path of a Service from the client's application.
func (s *testMesh) get(t *testing.T, service netip.Addr, path string) pods.Answer {
	t.Helper()
	return s.client.Get(t, fmt.Sprintf("http://%s%s", service, path))
}

// tally requests a path many times and counts the statuses.
func (s *testMesh) tally(t *testing.T, service netip.Addr, path string, times int) map[int]int {
	t.Helper()
	seen := map[int]int{}
	for range times {
		answer := s.get(t, service, path)
		if answer.Err != nil {
			t.Errorf("%s: %v", path, answer.Err)
		}
		seen[answer.Status]++
	}
	return seen
}

// hold sends a request that a server blocks, and returns when it has arrived. The channel receives the answer after release.
func (s *testMesh) hold(t *testing.T, service netip.Addr) <-chan pods.Answer {
	t.Helper()
	count := func() int32 { return s.servers[0].holding.Load() + s.servers[1].holding.Load() }
	before, answers := count(), make(chan pods.Answer, 1)
	go func() { answers <- s.get(t, service, "/hold") }()
	eventually.True(t, timeout, "a request arrives at the application", func() bool { return count() > before })
	return answers
}

// statistic returns the value of a sidecar's statistic, or -1.
func (s *testMesh) statistic(t *testing.T, pod *pods.Pod, name string) int {
	t.Helper()
	for line := range strings.Lines(pod.Admin(t, "/stats?filter="+url.QueryEscape("^"+regexp.QuoteMeta(name)+"$"))) {
		if _, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			n, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	return -1
}

// number returns a pointer to n.
func number(n uint32) *uint32 { return &n }

// hourly returns a rate that is not replenished during a test.
func hourly(tokens, burst uint32) upstream.RateLimit {
	return upstream.RateLimit{Tokens: tokens, Burst: burst, Interval: time.Hour}
}

// answered returns a request rate with the response beyond it.
func answered(rate upstream.RateLimit, status uint32) upstream.RequestRateLimit {
	return upstream.RequestRateLimit{RateLimit: rate, Status: cmp.Or(status, 429), Headers: []upstream.Header{{Name: "x-limited", Value: "yes"}}}
}
