package bootstrap

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// TestProbesReachApplication covers HTTP, TCP and HTTPS probes, each of another kind, a gRPC probe and a hook.
func TestProbesReachApplication(t *testing.T) {
	s := startSidecar(t,
		Probe{Kind: Liveness, Container: "app", Handler: HTTP, ListenPort: 15901, Port: 8080, Path: "/alive?full=1", TimeoutSeconds: 1, PeriodSeconds: 1},
		Probe{Kind: Readiness, Container: "app", Handler: TCP, ListenPort: 15902, Port: 3306, TimeoutSeconds: 1, PeriodSeconds: 1},
		Probe{Kind: Readiness, Container: "rpc", Handler: GRPC, ListenPort: 15906, Port: 9000, TimeoutSeconds: 1, PeriodSeconds: 1},
		Probe{Kind: PreStop, Container: "app", Handler: HTTP, ListenPort: 15907, Port: 8082, Path: "/drain"},
		Probe{Kind: Startup, Container: "secure", Handler: HTTPS, ListenPort: 15908, Port: 8443, Path: "/healthz", TimeoutSeconds: 1, PeriodSeconds: 1},
	)
	s.configure(t)
	t.Run("http", func(t *testing.T) { s.checkHTTPProbe(t) })
	t.Run("tcp", func(t *testing.T) { s.checkTCPProbe(t) })
	t.Run("https", func(t *testing.T) { s.checkHTTPSProbe(t) })
	t.Run("grpc", func(t *testing.T) { s.checkGRPCProbe(t) })
	t.Run("hook", func(t *testing.T) { s.checkHook(t) })
}

func (s *sidecar) checkHTTPProbe(t *testing.T) {
	const url = "http://10.9.0.1:15901/osm-liveness-probe"
	if code := status(s.kubelet, url); code < 500 {
		t.Errorf("while the application is down the probe answers %d, want a failure", code)
	}
	var answer, requests atomic.Int64
	answer.Store(http.StatusOK)
	listener := s.pod.Listen(t, "127.0.0.1:8080")
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			w.Header().Set("Location", "/login")
			w.WriteHeader(int(answer.Load()))
			fmt.Fprint(w, r.URL.String())
		}))
	}()
	for _, path := range []string{"", "/app"} {
		if code, body := get(s.kubelet, url+path); code != 200 || body != "/alive?full=1" {
			t.Errorf("%s answers %d from %q, want 200 from the path of the application", url+path, code, body)
		}
	}
	if code := status(s.kubelet, "http://10.9.0.1:15901/alive"); code != 404 {
		t.Errorf("a path that is no probe answers %d, want 404: the port is open to the whole cluster", code)
	}
	answer.Store(http.StatusFound)
	if code := status(s.kubelet, url); code != http.StatusFound {
		t.Errorf("a redirect answers %d, want 302 as such: the kubelet cannot follow it through the sidecar", code)
	}
	// Other pods of the cluster can send such headers, and claim a private address.
	answer.Store(http.StatusInternalServerError)
	requests.Store(0)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Envoy-Retry-On", "5xx")
	request.Header.Set("X-Envoy-Max-Retries", "5")
	request.Header.Set("X-Forwarded-For", "10.9.9.9")
	if response, err := s.kubelet.HTTP().Do(request); err != nil {
		t.Error(err)
	} else {
		_ = response.Body.Close()
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("a probe with headers of Envoy reaches the application %d times, want once", n)
	}
}

func (s *sidecar) checkTCPProbe(t *testing.T) {
	const url = "http://10.9.0.1:15902/osm-readiness-probe"
	if code := status(s.kubelet, url); code != 503 {
		t.Errorf("while the port is closed the probe answers %d, want 503", code)
	}
	var listener net.Listener
	s.pod.Do(func() { listener, _ = net.Listen("tcp", "127.0.0.1:3306") })
	if listener == nil {
		t.Fatal("the application's port cannot be opened")
	}
	eventually.True(t, timeout, "the open port is noticed", func() bool { return status(s.kubelet, url) == 200 })
	_ = listener.Close()
	eventually.True(t, timeout, "the closed port is noticed", func() bool { return status(s.kubelet, url) == 503 })
}

func (s *sidecar) checkHTTPSProbe(t *testing.T) {
	const own = "http://10.9.0.1:15908/osm-startup-probe"
	if code := status(s.kubelet, own); code < 500 {
		t.Errorf("while the port is closed the probe answers %d, want a failure", code)
	}
	certificate := newAuthority(t).server(t, "app")
	listener := tls.NewListener(s.pod.Listen(t, "127.0.0.1:8443"), &tls.Config{Certificates: []tls.Certificate{certificate}})
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	}()
	if code, body := get(s.kubelet, own); code != 200 || body != "/healthz" {
		t.Errorf("the probe answers %d from %q, want 200 from the application's own path", code, body)
	}
	if code := status(s.kubelet, "http://10.9.0.1:15908/healthz"); code != 404 {
		t.Errorf("a path that is no probe answers %d, want 404", code)
	}
}

// checkGRPCProbe sends one call per connection, as the kubelet does.
func (s *sidecar) checkGRPCProbe(t *testing.T) {
	connect := func() *grpc.ClientConn {
		conn, err := grpc.NewClient("passthrough:///10.9.0.1:15906", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				return s.kubelet.Dial(ctx, "tcp", address)
			}))
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	callCheck := func() (healthpb.HealthCheckResponse_ServingStatus, error) {
		conn := connect()
		defer conn.Close()
		answer, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
		return answer.GetStatus(), err
	}
	if answer, err := callCheck(); grpcstatus.Code(err) != codes.Unavailable {
		t.Errorf("while the port is closed the probe answers %s, %v, want it to be unavailable", answer, err)
	}
	server, application := grpc.NewServer(), health.NewServer()
	healthpb.RegisterHealthServer(server, application)
	listener := s.pod.Listen(t, "127.0.0.1:9000")
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	if answer, err := callCheck(); err != nil || answer != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("the probe of a healthy application answers %s, %v", answer, err)
	}
	application.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	if answer, err := callCheck(); err != nil || answer != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("the probe of an unhealthy application answers %s, %v", answer, err)
	}
	conn := connect()
	defer conn.Close()
	if _, err := healthpb.NewHealthClient(conn).List(ctx, &healthpb.HealthListRequest{}); grpcstatus.Code(err) != codes.Unimplemented {
		t.Errorf("another call through the port of the probe = %v, want unimplemented: the port is open to the whole cluster", err)
	}
}

// checkHook checks that a hook fails only by a redirect that cannot be followed. The kubelet treats every other
// response as success.
func (s *sidecar) checkHook(t *testing.T) {
	url := "http://10.9.0.1:15907" + PreStop.HookPath(plainConfig().ProxyUUID, "app")
	// The client follows redirects to the same host, as the kubelet does.
	response, err := s.kubelet.HTTP().Get(url)
	if err == nil {
		response.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "the application does not answer") {
		t.Errorf("while the port is closed the hook ends with %v, %v, want an error that says why", response, err)
	}
	listener := s.pod.Listen(t, "127.0.0.1:8082")
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("hang-up") != "" {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, r.URL.Path)
		}))
	}()
	if code, body := get(s.kubelet, url); code != http.StatusTeapot || body != "/drain" {
		t.Errorf("the hook answers %d from %q, want the application's response on its own path", code, body)
	}
	for _, other := range []string{"/drain", "/osm-preStop-hook/app", PreStop.HookPath("another", "app"), PostStart.HookPath(plainConfig().ProxyUUID, "app")} {
		if code := status(s.kubelet, "http://10.9.0.1:15907"+other); code != 404 {
			t.Errorf("%s answers %d, want 404: the port is open to the whole cluster", other, code)
		}
	}
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("hang-up", "yes")
	if response, err := s.kubelet.HTTP().Do(request); err == nil {
		response.Body.Close()
		t.Errorf("when the application closes the connection the hook answers %d, want a failure", response.StatusCode)
	}
}
