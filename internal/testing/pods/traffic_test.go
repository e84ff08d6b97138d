package pods_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

func TestTraffic(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.configure(t, s.clientScope(), s.serverScope())
	t.Run("requests", s.requests)
	t.Run("versions of HTTP", s.httpVersions)
	t.Run("headers", s.headers)
	t.Run("TCP", s.connections)
	t.Run("headless", s.headless)
	t.Run("dead endpoints", s.deadEndpoints)
	t.Run("itself", s.itself)
	t.Run("overlapping grants", s.overlappingGrants)
	t.Run("unknown destinations", s.unknownDestinations)
	t.Run("own doors", s.ownPorts)
	t.Run("metrics", s.metrics)
	t.Run("outside the mesh", s.outside)
	t.Run("another identity", s.anotherIdentity)
	t.Run("split", s.split)
	t.Run("egress", s.egress)
	t.Run("nothing allowed", s.nothingAllowed)
}

func (s *shop) requests(t *testing.T) {
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/books/1", 200},
		{"GET", "/books/1?q=/admin", 200},
		{"POST", "/books/1", 404},
		{"GET", "/admin", 403},
		{"GET", "/other", 404},
		{"GET", "/xbooks/1", 404},
	} {
		if got := s.client.Call(t, test.method, "http://10.96.0.1"+test.path); got.Status != test.status || got.Err != nil {
			t.Errorf("%s %s = %+v, want %d", test.method, test.path, got, test.status)
		}
	}
	if got := s.client.Get(t, "http://[fd96::1]/books/1"); got.Status != 200 {
		t.Errorf("over IPv6 = %+v, want 200", got)
	}
	if got := s.client.Get(t, "http://10.96.0.1/books/1", "host: anything.example"); got.Status != 200 {
		t.Errorf("with another host = %+v, want 200: the Host header must not affect routing", got)
	}
}

func (s *shop) httpVersions(t *testing.T) {
	if got := s.client.Get(t, "http://10.96.0.1/books/1"); !strings.HasPrefix(got.Body, "HTTP/1.1 ") {
		t.Errorf("HTTP/1.1 = %+v", got)
	}
	if got := s.client.GetHTTP2(t, "http://10.96.0.1/books/1"); !strings.HasPrefix(got.Body, "HTTP/2.0 ") {
		t.Errorf("HTTP/2 = %+v", got)
	}
}

// headers checks what docs/traffic/protocols.md says about headers.
func (s *shop) headers(t *testing.T) {
	const large = 61 << 10
	if got := s.client.Get(t, "http://10.96.0.1/books/1", "x-large: "+strings.Repeat("a", large)); got.Status != 431 {
		t.Errorf("headers of more than 60 KiB = %+v, want 431", got)
	}
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprintf("x-%d: a", i))
	}
	if got := s.client.Get(t, "http://10.96.0.1/books/1", many...); got.Status != 431 {
		t.Errorf("more than 100 headers = %+v, want 431", got)
	}
	conn, err := s.client.Dial(t, "10.96.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /books/1 HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if response, err := io.ReadAll(conn); err != nil || !strings.Contains(string(response), "\r\ncontent-length: ") {
		t.Errorf("the response is %q, %v, want names of headers in lower case", response, err)
	}
}

func (s *shop) connections(t *testing.T) {
	conn, err := s.client.Dial(t, "10.96.0.2:3306")
	if err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); line != "welcome\n" {
		t.Fatalf("before the client sends data: %q, %v", line, err)
	}
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := reader.ReadString('\n'); line != "echo hello\n" {
		t.Errorf("after the client sent hello: %q, %v", line, err)
	}
}

func (s *shop) headless(t *testing.T) {
	for _, port := range []int{80, 8081} {
		got := s.client.Get(t, fmt.Sprintf("http://%s:%d/any", s.server.IP, port), "host: web-0.stateful")
		if got.Status != 200 || !strings.HasSuffix(got.Body, ":8081") {
			t.Errorf("port %d = %+v, want 200 from 8081", port, got)
		}
	}
}

// deadEndpoints checks that unreachable endpoints cause retries, but no failures.
func (s *shop) deadEndpoints(t *testing.T) {
	c := s.clientScope()
	endpoints := s.endpoints(c)
	for i := range endpoints {
		dead := netip.AddrPortFrom(netip.MustParseAddr("10.77.1.1"), endpoints[i].Key.TargetPort)
		endpoints[i].Addresses = append(endpoints[i].Addresses, dead)
	}
	s.client.Configure(t, c, endpoints...)
	defer s.configure(t, s.clientScope(), s.serverScope())
	for range 20 {
		if got := s.client.Get(t, "http://10.96.0.1/books/1"); got.Status != 200 {
			t.Errorf("a request with half of the endpoints dead = %+v, want 200", got)
		}
		if got, err := s.client.Exchange(t, "10.96.0.2:3306", "hello\n"); got != "welcome\necho hello\n" {
			t.Errorf("a connection with half of the endpoints dead = %q, %v", got, err)
		}
	}
}

// itself checks that a pod needs a permission to call its own Service, through its own sidecar.
func (s *shop) itself(t *testing.T) {
	both := s.serverScope()
	c := s.clientScope()
	both.Outbound, both.Clusters = c.Outbound, c.Clusters
	s.server.Configure(t, both, s.endpoints(c)...)
	defer s.server.Configure(t, s.serverScope())
	if got := s.server.Get(t, "http://10.96.0.1/books/1"); got.Status != 503 {
		t.Errorf("without a rule for itself = %+v, want 503", got)
	}
	both = s.serverScope()
	both.Outbound, both.Clusters = c.Outbound, c.Clusters
	both.Inbound[0].Rules = authz.Rules{Permissive: true, Routes: []authz.Route{{AnySource: true}}}
	s.server.Configure(t, both, s.endpoints(c)...)
	if got := s.server.Get(t, "http://10.96.0.1/books/1"); got.Status != 200 {
		t.Errorf("with a rule for itself = %+v, want 200", got)
	}
}

// overlappingGrants checks that a policy does not remove the grants of another one for the same path.
func (s *shop) overlappingGrants(t *testing.T) {
	server := s.serverScope()
	server.Inbound[0].Rules.Routes = []authz.Route{
		{Match: catalog.HTTPMatch{PathRegex: "/books/secret"}, Sources: []identity.ServiceAccount{thief}},
		{Match: catalog.HTTPMatch{PathRegex: "/books/.*", Methods: []string{"GET", "HEAD"}}, Sources: []identity.ServiceAccount{buyer}},
		{Match: catalog.HTTPMatch{PathRegex: "/thief"}, Sources: []identity.ServiceAccount{thief}},
	}
	s.server.Configure(t, server)
	defer s.server.Configure(t, s.serverScope())
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/books/secret", 200},
		{"GET", "/books/1", 200},
		{"HEAD", "/books/1", 200},
		{"POST", "/books/secret", 403},
		{"POST", "/books/1", 404},
		{"GET", "/thief", 403},
		{"GET", "/other", 404},
	} {
		if got := s.client.Call(t, test.method, "http://10.96.0.1"+test.path); got.Status != test.status {
			t.Errorf("%s %s = %+v, want %d", test.method, test.path, got, test.status)
		}
	}
}

func (s *shop) unknownDestinations(t *testing.T) {
	for _, address := range []string{unknownIP + ":80", "10.96.0.1:81", s.server.IP.String() + ":8080", "[fd96::9]:80"} {
		conn, err := s.client.Dial(t, address)
		if err != nil {
			t.Errorf("%s: %v, want a connection that is closed", address, err)
			continue
		}
		if n, err := conn.Read(make([]byte, 1)); n != 0 || isTimeout(err) {
			t.Errorf("%s: read %d bytes, %v, want a closed connection", address, n, err)
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// ownPorts checks that the sidecar does not serve its own ports, on which it listens on every address, for other pods.
func (s *shop) ownPorts(t *testing.T) {
	for _, port := range []string{"15003", "15010"} {
		got, err := s.client.Exchange(t, unknownIP+":"+port, "GET /stats/prometheus HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if got != "" || isTimeout(err) {
			t.Errorf("port %s of another pod returned %.80q, %v", port, got, err)
		}
	}
}

func (s *shop) metrics(t *testing.T) {
	base := "http://" + s.server.IP.String() + ":15010"
	if got := s.stranger.Get(t, base+"/stats/prometheus"); got.Status != 200 || !strings.Contains(got.Body, "envoy_cluster_name") {
		t.Errorf("metrics = %d, %v", got.Status, got.Err)
	}
	for _, call := range [][2]string{{"GET", "/config_dump"}, {"GET", "/stats/prometheus/../../config_dump"}, {"POST", "/stats/prometheus"}} {
		if got := s.stranger.Call(t, call[0], base+call[1]); got.Status != 404 {
			t.Errorf("%v = %d, want 404", call, got.Status)
		}
	}
}

func (s *shop) outside(t *testing.T) {
	for _, port := range []string{"8080", "3306", "15003"} {
		got, err := s.stranger.Exchange(t, s.server.IP.String()+":"+port, "GET /books/1 HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
		if got != "" || isTimeout(err) {
			t.Errorf("plaintext to port %s = %q, %v, want a closed connection", port, got, err)
		}
	}
}

// anotherIdentity uses a client with the buyer's configuration and the thief's certificate.
func (s *shop) anotherIdentity(t *testing.T) {
	pod := s.network.Pod(t, "thief")
	c := s.clientScope()
	c.Key.Identity = thief
	pod.Configure(t, c, s.endpoints(c)...)
	if got := pod.Get(t, "http://10.96.0.1/admin"); got.Status != 503 {
		t.Errorf("without a network rule = %+v, want 503", got)
	}
	if got, err := pod.Exchange(t, "10.96.0.2:3306", ""); got != "" || isTimeout(err) {
		t.Errorf("TCP without a network rule = %q, %v, want a closed connection", got, err)
	}
	server := s.serverScope()
	server.Inbound[0].Rules.Network[0].Sources = []identity.ServiceAccount{buyer, thief}
	s.server.Configure(t, server)
	if got := pod.Get(t, "http://10.96.0.1/admin"); got.Status != 200 {
		t.Errorf("with a rule = %+v, want 200", got)
	}
	if got := pod.Get(t, "http://10.96.0.1/books/1"); got.Status != 403 {
		t.Errorf("the buyer's path = %+v, want 403", got)
	}
	i := slices.IndexFunc(c.Clusters, func(c scope.Cluster) bool { return c.Service == stateful })
	c.Clusters[i].Identities = []identity.ServiceAccount{thief}
	pod.Configure(t, c, s.endpoints(c)...)
	if got := pod.Get(t, "http://"+s.server.IP.String()+"/any"); got.Status != 503 {
		t.Errorf("from a server with another identity = %+v, want 503", got)
	}
}

func (s *shop) split(t *testing.T) {
	c := s.clientScope()
	c.Outbound[0].Backends = []scope.Backend{{Cluster: "shop/web|8080", Weight: 3}, {Cluster: "shop/leaf|8081", Weight: 1}}
	s.configure(t, c, s.serverScope())
	count := map[string]int{}
	for range 200 {
		got := s.client.Get(t, "http://10.96.0.1/books/1")
		count[got.Body[strings.LastIndex(got.Body, ":")+1:]]++
	}
	// 200 draws at 1/4 leave 25 to 75 with a probability beyond 0.9999.
	if n := count["8081"]; n < 25 || n > 75 || count["8080"]+n != 200 {
		t.Errorf("answers by port = %v, want about 150 from 8080 and 50 from 8081", count)
	}
	c.Outbound[0].Backends = nil
	s.configure(t, c, s.serverScope())
	if got := s.client.Get(t, "http://10.96.0.1/books/1"); got.Status != 503 || !strings.Contains(got.Body, "TrafficSplit") {
		t.Errorf("without any weight = %+v, want 503 with a message", got)
	}
}

func (s *shop) egress(t *testing.T) {
	c := s.clientScope()
	c.Egress = true
	s.configure(t, c, s.serverScope())
	listener := s.stranger.NS.Listen(t, s.stranger.IP.String()+":7000")
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "outside\n")
			_ = conn.Close()
		}
	}()
	if got, err := s.client.Exchange(t, s.stranger.IP.String()+":7000", ""); got != "outside\n" {
		t.Errorf("an outside server that sends first = %q, %v", got, err)
	}
	if got := s.client.Get(t, "http://10.96.0.1/admin"); got.Status != 403 {
		t.Errorf("a Service of the mesh with egress = %+v, want 403", got)
	}
	if got := s.client.Get(t, "http://"+s.server.IP.String()+":8080/books/1"); got.Err == nil {
		t.Errorf("plaintext through egress to a pod of the mesh = %+v, want a closed connection", got)
	}
}

func (s *shop) nothingAllowed(t *testing.T) {
	c := &scope.Scope{Common: scope.Common{Key: s.clientScope().Key, TrustDomain: trustDomain}}
	s.client.Configure(t, c)
	if got, err := s.client.Exchange(t, "10.96.0.1:80", "hello\n"); got != "" || isTimeout(err) {
		t.Errorf("nothing allowed and no egress: %q, %v, want a closed connection", got, err)
	}
}
