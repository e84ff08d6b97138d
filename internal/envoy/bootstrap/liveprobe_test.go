package bootstrap

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/openservicemesh/osm-operator/internal/redirect/nstest"
)

// TestProbesReachApplication has one HTTP, one TCP and one HTTPS probe, each of another kind, a gRPC probe and a hook.
func TestProbesReachApplication(t *testing.T) {
	s := startSidecar(t,
		Probe{Kind: Liveness, Container: "app", Handler: HTTP, ListenPort: 15901, Port: 8080, Path: "/alive?full=1", TimeoutSeconds: 1, PeriodSeconds: 1},
		Probe{Kind: Readiness, Container: "app", Handler: TCP, ListenPort: 15902, Port: 3306, TimeoutSeconds: 1, PeriodSeconds: 1},
		Probe{Kind: Startup, Container: "app", Handler: Passthrough, ListenPort: 15903, Port: 8443, TimeoutSeconds: 1, PeriodSeconds: 1},
		Probe{Kind: Readiness, Container: "rpc", Handler: Passthrough, ListenPort: 15906, Port: 9000, TimeoutSeconds: 1, PeriodSeconds: 1},
		Probe{Kind: PreStop, Container: "app", Handler: Passthrough, ListenPort: 15907, Port: 8082, TimeoutSeconds: 1, PeriodSeconds: 1},
	)
	s.configure(t)
	t.Run("http", func(t *testing.T) { s.checkHTTPProbe(t) })
	t.Run("tcp", func(t *testing.T) { s.checkTCPProbe(t) })
	t.Run("passthrough", func(t *testing.T) { s.checkPassthroughProbe(t) })
	t.Run("grpc", func(t *testing.T) { s.checkGRPCProbe(t) })
	t.Run("hook", func(t *testing.T) { s.checkHook(t) })
}

func (s *sidecar) checkHTTPProbe(t *testing.T) {
	const url = "http://10.9.0.1:15901/osm-liveness-probe"
	if code := status(s.kubelet, url); code < 500 {
		t.Errorf("while the application is down the probe answers %d, want a failure", code)
	}
	var answer atomic.Int64
	answer.Store(http.StatusOK)
	listener := s.pod.Listen(t, "127.0.0.1:8080")
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	nstest.Eventually(t, patience, "the open port is noticed", func() bool { return status(s.kubelet, url) == 200 })
	_ = listener.Close()
	nstest.Eventually(t, patience, "the closed port is noticed", func() bool { return status(s.kubelet, url) == 503 })
}

func (s *sidecar) checkPassthroughProbe(t *testing.T) {
	client := s.kubelet.HTTP()
	// The kubelet does not verify the certificates of probes either.
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	if response, err := client.Get("https://10.9.0.1:15903/healthz"); err == nil {
		response.Body.Close()
		t.Errorf("while the port is closed the probe answers %d, want no answer at all", response.StatusCode)
	}
	certificate := newAuthority(t).server(t, "app")
	listener := tls.NewListener(s.pod.Listen(t, "127.0.0.1:8443"), &tls.Config{Certificates: []tls.Certificate{certificate}})
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	}()
	response, err := client.Get("https://10.9.0.1:15903/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); string(body) != "/healthz" {
		t.Errorf("the application was asked for %q, want its own path", body)
	}
}

// checkGRPCProbe asks as the kubelet does: one connection, one question.
func (s *sidecar) checkGRPCProbe(t *testing.T) {
	ask := func() (healthpb.HealthCheckResponse_ServingStatus, error) {
		conn, err := grpc.NewClient("passthrough:///10.9.0.1:15906", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				return s.kubelet.Dial(ctx, "tcp", address)
			}))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		answer, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
		return answer.GetStatus(), err
	}
	if answer, err := ask(); err == nil {
		t.Errorf("while the port is closed the probe answers %s, want no answer at all", answer)
	}
	server, application := grpc.NewServer(), health.NewServer()
	healthpb.RegisterHealthServer(server, application)
	listener := s.pod.Listen(t, "127.0.0.1:9000")
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	if answer, err := ask(); err != nil || answer != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("the probe of a healthy application answers %s, %v", answer, err)
	}
	application.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	if answer, err := ask(); err != nil || answer != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("the probe of an unhealthy application answers %s, %v", answer, err)
	}
}

// checkHook: the kubelet takes every answer to a hook for success, and no answer for failure.
func (s *sidecar) checkHook(t *testing.T) {
	const url = "http://10.9.0.1:15907/drain"
	if code := status(s.kubelet, url); code != 0 {
		t.Errorf("while the port is closed the hook answers %d, want no answer at all", code)
	}
	listener := s.pod.Listen(t, "127.0.0.1:8082")
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	}()
	if code, body := get(s.kubelet, url); code != 200 || body != "/drain" {
		t.Errorf("the hook answers %d from %q, want 200 from the application's own path", code, body)
	}
}
