package pods_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// Labels of the sidecars in these tests.
const (
	ofClient = `source_namespace="shop",source_kind="Deployment",source_name="buyer"`
	toServer = `destination_namespace="shop",destination_service="%s",destination_kind="StatefulSet",destination_name="books"`
	byClient = `source_identity="buyer.shop.cluster.local"`
)

// TestWorkloadMetrics verifies the labels of requests and connections on both sides, with both supported versions of Envoy.
func TestWorkloadMetrics(t *testing.T) {
	t.Parallel()
	for version, binary := range envoytest.Binaries(t) {
		t.Run(version, func(t *testing.T) { testWorkloadMetrics(t, binary) })
	}
}

func testWorkloadMetrics(t *testing.T, binary string) {
	t.Parallel()
	s := measuredShop(t, binary)
	for path, status := range map[string]int{"/books/1": 200, "/books/500": 500, "/admin": 403, "/none": 404} {
		if answer := s.client.Get(t, "http://"+webIP.String()+path); answer.Status != status {
			t.Fatalf("%s answers %v, want %d", path, answer, status)
		}
	}
	queryDatabase(t, s.client)
	web := fmt.Sprintf(toServer, "web")
	toWeb := ofClient + "," + web
	server := web + "," + byClient
	for _, side := range []struct {
		pod  *pods.Pod
		want map[string]int
	}{
		{s.client, map[string]int{
			`request_total{` + toWeb + "," + byClient + `,destination_identity="books.shop.cluster.local",response_code="200",grpc_status=""}`: 1,
			`request_total{` + toWeb + "," + byClient + `,destination_identity="books.shop.cluster.local",response_code="403",grpc_status=""}`: 1,
			`request_total{` + toWeb + "," + byClient + `,destination_identity="books.shop.cluster.local",response_code="500",grpc_status=""}`: 1,
			`request_duration_ms_count{` + toWeb + `}`:                                                 4,
			`tcp_connections_opened_total{` + ofClient + "," + fmt.Sprintf(toServer, "database") + `}`: 1,
			`tcp_request_bytes_total{` + ofClient + "," + fmt.Sprintf(toServer, "database") + `}`:      6,
		}},
		{s.server, map[string]int{
			`inbound_request_total{` + server + `,response_code="200",grpc_status="",verdict="allowed"}`:                                     1,
			`inbound_request_total{` + server + `,response_code="500",grpc_status="",verdict="allowed"}`:                                     1,
			`inbound_request_total{` + server + `,response_code="403",grpc_status="",verdict="denied"}`:                                      1,
			`inbound_request_total{` + fmt.Sprintf(toServer, "") + "," + byClient + `,response_code="404",grpc_status="",verdict="allowed"}`: 1,
			`inbound_request_duration_ms_count{` + server + `}`:                                                                              3,
			`inbound_route_request_total{` + web + `,route="GET /books/.*",response_code="500",grpc_status="",verdict="allowed"}`:            1,
			`inbound_route_request_duration_ms_count{` + web + `,route="GET /books/.*"}`:                                                     2,
			`inbound_tcp_request_bytes_total{` + fmt.Sprintf(toServer, "database") + "," + byClient + `}`:                                    6,
			`inbound_tcp_connections_closed_total{` + fmt.Sprintf(toServer, "database") + "," + byClient + `,verdict="allowed"}`:             1,
		}},
	} {
		awaitSeries(t, side.pod, side.want)
	}
}

// queryDatabase opens a connection, receives an answer, and closes the connection.
func queryDatabase(t *testing.T, client *pods.Pod) {
	t.Helper()
	conn, err := client.NS.Dial(t.Context(), "tcp", nstest.Address(databaseIP.String(), 3306))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "hello\n")
	if answer, err := bufio.NewReader(conn).ReadString('\n'); err != nil || answer != "echo hello\n" {
		t.Fatalf("the database answers %q: %v", answer, err)
	}
}

// TestWorkloadMetricsOfDenials removes the permission of the client. The server closes its connections before any request.
func TestWorkloadMetricsOfDenials(t *testing.T) {
	t.Parallel()
	s := measuredShop(t, envoytest.Binary(t))
	server := s.serverScope()
	for i := range server.Inbound {
		server.Inbound[i].Rules.Network = []authz.NetworkRule{{Policy: "shop/other", Sources: []identity.ServiceAccount{thief}}}
	}
	s.server.Configure(t, server)
	if answer := s.client.Get(t, "http://"+webIP.String()+"/books/1"); answer.Status != 503 {
		t.Fatalf("a denied connection answers %v, want 503", answer)
	}
	awaitSeries(t, s.server, map[string]int{
		`inbound_connections_denied_total{destination_namespace="shop",destination_kind="StatefulSet",destination_name="books",` + byClient + `}`: -1,
	})
}

// TestWorkloadMetricsAreBounded receives more response codes than counters fit into a lowered limit, and different paths.
func TestWorkloadMetricsAreBounded(t *testing.T) {
	t.Parallel()
	const limit = 40
	s := measuredShop(t, envoytest.Binary(t))
	s.limitCounters(t, limit)
	conn, err := s.client.NS.Dial(t.Context(), "tcp", nstest.Address(webIP.String(), 80))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	requestManyCodes(t, conn)
	eventually.True(t, 10*time.Second, "some codes are counted", func() bool { return countSeries(t, s.client, "request_total") > limit/2 })
	if counters := countSeries(t, s.client, "request_total"); counters > limit {
		t.Errorf("%d series of requests, want at most %d", counters, limit)
	}
	before := countSeries(t, s.client, "")
	for i := range 50 {
		if answer := s.client.Get(t, fmt.Sprintf("http://%s/books/code/200/%d?x=%d", webIP, i, i)); answer.Status != 200 {
			t.Fatal(answer)
		}
	}
	if after := countSeries(t, s.client, ""); after != before {
		t.Errorf("%d series before 50 different paths, %d afterwards", before, after)
	}
}

// limitCounters lowers the limit of the counters of each listener of the client.
func (s *shop) limitCounters(t *testing.T, limit int) {
	t.Helper()
	client := s.clientScope()
	resources := envoy.Build(client)
	for i := range resources {
		resources[i] = withMaxCounters(t, resources[i], limit)
	}
	s.client.SendAll(t, client, resources, s.workloadEndpoints(client)...)
}

// withMaxCounters lowers the limit of the counters of a listener. It fails the test if a listener for HTTP has none.
func withMaxCounters(t *testing.T, r envoy.Resource, limit int) envoy.Resource {
	t.Helper()
	listener, ok := r.Message.(*listenerv3.Listener)
	if !ok {
		return r
	}
	text, err := protojson.Marshal(listener)
	if err != nil {
		t.Fatal(err)
	}
	counters := regexp.MustCompile(fmt.Sprintf(`"maxCounters": *%d`, envoy.MaxCounters))
	if bytes.Contains(text, []byte(".HttpConnectionManager")) && listener.GetName() != "inbound-prometheus-listener" && !counters.Match(text) {
		t.Errorf("%s has no limit of counters", listener.GetName())
	}
	lowered := &listenerv3.Listener{}
	if err := protojson.Unmarshal(counters.ReplaceAll(text, fmt.Appendf(nil, `"maxCounters":%d`, limit)), lowered); err != nil {
		t.Fatal(err)
	}
	r.Message = lowered
	return r
}

// requestManyCodes requests every status that a server can choose, on one connection.
func requestManyCodes(t *testing.T, conn net.Conn) {
	t.Helper()
	answers := bufio.NewReader(conn)
	for code := 200; code < 600; code++ {
		fmt.Fprintf(conn, "GET /books/code/%d HTTP/1.1\r\nHost: %s\r\n\r\n", code, webIP)
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("status %d: %v", code, err)
		}
		_ = answer.Body.Close()
	}
}

// measuredShop is a shop whose sidecars have the statistics of sidecars in a mesh, names of workloads, and more environment variables.
func measuredShop(t *testing.T, binary string, env ...string) *shop {
	t.Helper()
	s := measuredPods(t, binary, func(*bootstrapv3.Bootstrap) {}, env...)
	s.sellBooks(t)
	return s
}

// measuredPods are the pods of measuredShop without applications, with an edit of their bootstraps.
func measuredPods(t *testing.T, binary string, edit func(*bootstrapv3.Bootstrap), env ...string) *shop {
	t.Helper()
	n := pods.NewNetwork(t)
	n.Run(t, binary)
	pod := func(name, kind, workload string) *pods.Pod {
		n.Env = append(workloadOf(kind, workload), env...)
		return podWithStats(t, n, name, edit)
	}
	s := &shop{network: n, client: pod("client", "Deployment", "buyer"), server: pod("server", "StatefulSet", "books")}
	client := s.clientScope()
	s.server.Configure(t, s.serverScope())
	s.client.Configure(t, client, s.workloadEndpoints(client)...)
	return s
}

// workloadOf is the environment of a sidecar of a workload.
func workloadOf(kind, name string) []string {
	return []string{names.PodNamespaceEnv + "=shop", names.WorkloadKindEnv + "=" + kind, names.WorkloadNameEnv + "=" + name}
}

// workloadEndpoints are the endpoints of a scope with the workload of the server.
func (s *shop) workloadEndpoints(client *scope.Scope) []scope.Endpoints {
	endpoints := s.endpoints(client)
	for i := range endpoints {
		endpoints[i].Workloads = []inventory.Workload{{Kind: "StatefulSet", Name: "books"}}
	}
	return endpoints
}

// sellBooks runs the applications of measuredShop. The path "/books/code/<status>" chooses the status of the response.
func (s *shop) sellBooks(t *testing.T) {
	t.Helper()
	s.server.ServeHTTP(t, 8080, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code, found := strings.CutPrefix(r.URL.Path, "/books/code/")
		if r.URL.Path == "/books/500" {
			code, found = "500", true
		}
		if status, err := strconv.Atoi(strings.Split(code, "/")[0]); err == nil && found {
			w.WriteHeader(status)
			return
		}
		fmt.Fprint(w, "a book")
	}))
	s.server.ServeTCP(t, 3306, func(c net.Conn) {
		line, _ := bufio.NewReader(c).ReadString('\n')
		fmt.Fprint(c, "echo "+line)
	})
}

// awaitSeries waits until a sidecar has series of the mesh with these values; -1 is any value above 0.
func awaitSeries(t *testing.T, pod *pods.Pod, want map[string]int) {
	t.Helper()
	var text string
	missing := func() (list []string) {
		text = pod.Admin(t, "/stats/prometheus")
		for series, value := range want {
			_, rest, found := strings.Cut(text, "envoy_osm_"+series+" ")
			line, _, _ := strings.Cut(rest, "\n")
			if number, err := strconv.Atoi(line); !found || err != nil || value >= 0 && number != value || number == 0 {
				list = append(list, fmt.Sprintf("%s is %q, want %d", series, line, value))
			}
		}
		return list
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("missing: %s", strings.Join(missing(), "\n"))
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, "envoy_osm_") && !strings.Contains(line, "_bucket") {
					t.Log(line)
				}
			}
		}
	})
	eventually.True(t, 10*time.Second, "the series of workloads", func() bool { return len(missing()) == 0 })
}

// countSeries counts the series of the mesh whose name has a prefix.
func countSeries(t *testing.T, pod *pods.Pod, prefix string) (n int) {
	t.Helper()
	for line := range strings.Lines(pod.Admin(t, "/stats/prometheus")) {
		if strings.HasPrefix(line, "envoy_osm_"+prefix) {
			n++
		}
	}
	return n
}
