package launch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

const (
	first, second = "envoy", "envoy-standby"
	timeout       = time.Minute
)

// pod is two slots, their volume, an application and a control plane.
type pod struct {
	state
	t         *testing.T
	bootstrap string
	timing    Timing
	ads       *ads
	// web and tcp are the ports of listeners that the control plane sends, admin that of the serving Envoy's admin interface.
	web, tcp, admin int
	log             *logBuffer

	mu    sync.Mutex
	slots map[string]func()
	// resources changes what an Envoy gets.
	resources func(epoch int, typeURL string, usual []envoy.Resource) []envoy.Resource
}

// logBuffer keeps the log of a test, which only a failed one shows.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newPod(t *testing.T) *pod {
	t.Helper()
	p := &pod{
		t: t, state: state{t.TempDir()}, log: &logBuffer{}, slots: map[string]func(){}, web: freePort(t), tcp: freePort(t), admin: freePort(t),
		timing: Timing{
			Poll: 50 * time.Millisecond, Grace: time.Second, Handover: 10 * time.Second, Stable: 200 * time.Millisecond,
			Retry: time.Second, MostRetry: time.Second, LeastDrain: 3 * time.Second, Unused: time.Second, Idle: 8 * time.Second, MostDrain: time.Minute,
		},
	}
	// Shared memory has a name of the whole machine.
	before := 1000 + rand.IntN(100_000_000)
	t.Cleanup(func() {
		for _, slot := range []string{first, second} {
			p.stop(slot)
		}
		p.expectNoMemory(before)
		if t.Failed() {
			t.Log(p.log)
		}
	})
	if err := p.write(epochFile, strconv.Itoa(before)); err != nil {
		t.Fatal(err)
	}
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	t.Cleanup(application.Close)
	echo := echoServer(t)
	var xds int
	p.ads, xds = serveADS(t, func(epoch int, typeURL string) []envoy.Resource {
		usual := p.usual(epoch, typeURL, application.Listener.Addr(), echo)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.resources != nil {
			return p.resources(epoch, typeURL, usual)
		}
		return usual
	})
	p.bootstrap = filepath.Join(t.TempDir(), "bootstrap.yaml")
	content := fmt.Sprintf(`
node: {id: pod, cluster: pod, metadata: {revision: one}}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 15000}}}
stats_flush_interval: 0.5s
stats_config: {stats_matcher: {inclusion_list: {patterns: [{prefix: server.}, {prefix: control_plane.}, {prefix: cluster_manager.}, {prefix: listener_manager.}, {prefix: listener.127.}]}}}
dynamic_resources:
  ads_config: {api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: xds}}]}
  cds_config: {resource_api_version: V3, initial_fetch_timeout: 0s, ads: {}}
  lds_config: {resource_api_version: V3, initial_fetch_timeout: 0s, ads: {}}
static_resources:
  clusters:
  - name: xds
    type: STATIC
    load_assignment: {cluster_name: xds, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}}]}]}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
`, xds)
	if err := os.WriteFile(p.bootstrap, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// usual is the configuration of the pod's Envoys. A response names the epoch of the Envoy that forwarded it.
func (p *pod) usual(epoch int, typeURL string, application, echo net.Addr) []envoy.Resource {
	const manager = `{"@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "web",
		"rds": {"route_config_name": "web", "config_source": {"ads": {}, "resource_api_version": "V3"}},
		"http_filters": [{"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}`
	switch typeURL {
	case envoy.ClusterType:
		return []envoy.Resource{p.cluster("web", application), p.cluster("tcp", echo)}
	case envoy.ListenerType:
		return []envoy.Resource{
			p.listener("web", p.web, manager),
			p.listener("tcp", p.tcp, `{"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "tcp", "cluster": "tcp"}`),
		}
	case envoy.RouteType:
		return []envoy.Resource{p.routes(epoch, `"route": {"cluster": "web"}`)}
	}
	return nil
}

func (p *pod) cluster(name string, address net.Addr) envoy.Resource {
	_, port, err := net.SplitHostPort(address.String())
	if err != nil {
		p.t.Fatal(err)
	}
	m := &clusterv3.Cluster{}
	p.parse(fmt.Sprintf(`{"name": %[1]q, "type": "STATIC", "connect_timeout": "2s", "load_assignment": {"cluster_name": %[1]q, "endpoints": [{"lb_endpoints": [
		{"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": %[2]s}}}}]}]}}`, name, port), m)
	return envoy.Resource{TypeURL: envoy.ClusterType, Name: name, Message: m}
}

func (p *pod) listener(name string, port int, filter string) envoy.Resource {
	m := &listenerv3.Listener{}
	p.parse(fmt.Sprintf(`{"name": %q, "address": {"socket_address": {"address": "127.0.0.1", "port_value": %d}},
		"filter_chains": [{"filters": [{"name": "filter", "typed_config": %s}]}]}`, name, port, filter), m)
	return envoy.Resource{TypeURL: envoy.ListenerType, Name: name, Message: m}
}

func (p *pod) routes(epoch int, action string) envoy.Resource {
	m := &routev3.RouteConfiguration{}
	p.parse(fmt.Sprintf(`{"name": "web", "response_headers_to_add": [{"header": {"key": "epoch", "value": "%d"}}],
		"virtual_hosts": [{"name": "web", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, %s}]}]}`, epoch, action), m)
	return envoy.Resource{TypeURL: envoy.RouteType, Name: "web", Message: m}
}

func (p *pod) parse(text string, m proto.Message) {
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		p.t.Errorf("%v in %s", err, text)
	}
}

// change replaces what Envoys get from now on.
func (p *pod) change(resources func(epoch int, typeURL string, usual []envoy.Resource) []envoy.Resource) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resources = resources
}

// start starts the container of a slot with an Envoy; it replaces a running one as a patch of the image does.
func (p *pod) start(slot, program string) {
	p.t.Helper()
	p.stop(slot)
	other := map[string]string{first: second, second: first}[slot]
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := Run(ctx, Config{
			Slot: slot, Other: other, First: slot == first, Dir: p.dir, SharedMemory: "/dev/shm", Program: program, AdminPort: p.admin,
			Args:   []string{"--config-path", p.bootstrap, "--concurrency", "2", "--log-level", "error", "--drain-time-s", "2", "--drain-strategy", "immediate"},
			Timing: p.timing, Log: p.log,
		})
		if err != nil {
			p.t.Errorf("%s: %v", slot, err)
		}
	}()
	p.slots[slot] = func() { cancel(); <-done }
}

func (p *pod) stop(slot string) {
	if stop := p.slots[slot]; stop != nil {
		stop()
		delete(p.slots, slot)
	}
}

// memory is the shared memory of the Envoy of an epoch.
func (p *pod) memory(epoch int) string {
	return fmt.Sprintf("/dev/shm/envoy_shared_memory_%d", epoch*baseScale)
}

// expectNoMemory checks that no Envoy of the pod left shared memory, and removes what is left: it remains until the machine restarts.
func (p *pod) expectNoMemory(before int) {
	last, err := p.nextEpoch(first)
	if err != nil {
		p.t.Error(err)
	}
	for epoch := before + 1; epoch < last; epoch++ {
		if err := os.Remove(p.memory(epoch)); err == nil {
			p.t.Errorf("Envoy %d left its shared memory", epoch)
		}
	}
}

// awaitServing waits until a slot serves with an Envoy that is not the given one, and returns its epoch.
func (p *pod) awaitServing(slot string, not int) int {
	p.t.Helper()
	var r record
	eventually.True(p.t, timeout, slot+" serves", func() bool {
		r, _ = p.serving()
		return r.slot == slot && r.ready && r.epoch != not
	})
	return r.epoch
}

// pids returns the processes of an epoch.
func (p *pod) pids(epoch int) []int {
	var found []int
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		content, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(content), fmt.Sprintf("--base-id\x00%d\x00", epoch)) || !strings.Contains(string(content), p.dir) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

// kill kills the Envoy of an epoch, as the kernel does when memory runs out.
func (p *pod) kill(epoch int) {
	p.t.Helper()
	pids := p.pids(epoch)
	if len(pids) != 1 {
		p.t.Fatalf("epoch %d has the processes %v", epoch, pids)
	}
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// echoServer returns what it receives.
func echoServer(t *testing.T) net.Addr {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
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
			}()
		}
	}()
	return listener.Addr()
}
