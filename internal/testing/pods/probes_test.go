package pods_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	corev1 "k8s.io/api/core/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// probedPod has every kind of probe with every handler in several containers, one of them a native sidecar of the user.
const probedPod = `
metadata: {name: probed, namespace: shop}
spec:
  initContainers:
  - name: agent
    restartPolicy: Always
    ports: [{name: status, containerPort: 2020}]
    livenessProbe: {httpGet: {path: /agent, port: status}, timeoutSeconds: 1}
    readinessProbe: {tcpSocket: {port: 2021}, periodSeconds: 1}
    startupProbe: {grpc: {port: 2022}}
  containers:
  - name: web
    livenessProbe: {httpGet: {path: "/alive?deep=1", port: 8080}}
    readinessProbe: {httpGet: {path: /ready, port: 8443, scheme: HTTPS}}
    startupProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
    lifecycle: {postStart: {httpGet: {path: /warm, port: 8080}}, preStop: {httpGet: {path: /drain, port: 8443, scheme: HTTPS}}}
  - name: rpc
    livenessProbe: {grpc: {port: 9000}}
    readinessProbe: {grpc: {port: 9000, service: ready}}
    startupProbe: {httpGet: {path: /started, port: 9001}}
  - name: script
    livenessProbe: {exec: {command: ["true"]}}
`

// applicationPorts are the ports of probedPod by protocol.
var applicationPorts = map[string][]uint16{"http": {2020, 8080, 9001}, "https": {8443}, "grpc": {2022, 9000}, "tcp": {2021}}

// TestProbes sends probes as the kubelet does, with the applications stopped, running, and stopped again.
func TestProbes(t *testing.T) {
	t.Parallel()
	n := pods.NewNetwork(t)
	kubelet := n.Bare(t)
	for name, mode := range map[string]configv1alpha2.LocalProxyMode{
		"Localhost": configv1alpha2.LocalProxyModeLocalhost, "PodIP": configv1alpha2.LocalProxyModePodIP,
	} {
		t.Run(name, func(t *testing.T) {
			var settings configv1alpha2.MeshConfigSpec
			settings.Sidecar.LocalProxyMode = mode
			seen, p := injected(t, n, probedPod, settings)
			host := "127.0.0.1"
			if mode == configv1alpha2.LocalProxyModePodIP {
				host = p.IP.String()
			}
			probes := probesOf(kubelet, p, seen)
			if len(probes) != 11 {
				t.Fatalf("%d probes and hooks, want 11: %v", len(probes), probes)
			}
			expectProbes(t, probes, "no application runs", false)
			stop := runProbed(t, p, host)
			expectProbes(t, probes, "all applications run", true)
			stop()
			expectProbes(t, probes, "the applications have stopped", false)
		})
	}
}

// expectProbes waits until every probe has the expected result. Envoy's checks of TCP ports take up to a second.
func expectProbes(t *testing.T, probes map[string]func() error, when string, succeed bool) {
	t.Helper()
	for name, ask := range probes {
		var err error
		deadline := time.Now().Add(5 * time.Second)
		for {
			if err = ask(); (err == nil) == succeed {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("%s: the %s returned %v, want success: %t", when, name, err, succeed)
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// runProbed starts the applications, and returns a function that stops them.
func runProbed(t *testing.T, p *pods.Pod, host string) (stop func()) {
	t.Helper()
	var stops []func()
	mux := http.NewServeMux()
	for _, path := range []string{"/agent", "/alive", "/ready", "/warm", "/drain", "/started"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL) })
	}
	for kind, ports := range applicationPorts {
		for _, port := range ports {
			listener := p.NS.Listen(t, nstest.Address(host, port))
			switch kind {
			case "https":
				listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{ownCertificate(t)}})
				fallthrough
			case "http":
				server := &http.Server{Handler: mux}
				go func() { _ = server.Serve(listener) }()
				stops = append(stops, func() { _ = server.Close() })
			case "grpc":
				server, status := grpc.NewServer(), health.NewServer()
				status.SetServingStatus("ready", healthpb.HealthCheckResponse_SERVING)
				healthpb.RegisterHealthServer(server, status)
				go func() { _ = server.Serve(listener) }()
				stops = append(stops, server.Stop)
			default:
				stops = append(stops, func() { _ = listener.Close() })
			}
		}
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// probesOf returns functions that run the probes and hooks of a pod from its node. Exec probes, and hooks that sleep, do not use the network.
func probesOf(kubelet, p *pods.Pod, pod *corev1.Pod) map[string]func() error {
	all := map[string]func() error{}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for _, c := range list {
			if c.Name == names.SidecarContainer {
				continue
			}
			for kind, probe := range map[string]*corev1.Probe{"liveness": c.LivenessProbe, "readiness": c.ReadinessProbe, "startup": c.StartupProbe} {
				if probe != nil && probe.Exec == nil {
					all[kind+" probe of "+c.Name] = func() error { return runProbe(kubelet, p, probe.ProbeHandler) }
				}
			}
			if c.Lifecycle == nil {
				continue
			}
			for kind, handler := range map[string]*corev1.LifecycleHandler{"postStart": c.Lifecycle.PostStart, "preStop": c.Lifecycle.PreStop} {
				if handler != nil && handler.HTTPGet != nil {
					all[kind+" hook of "+c.Name] = func() error { return hook(kubelet, p, handler.HTTPGet) }
				}
			}
		}
	}
	return all
}

// runProbe runs one probe as the kubelet does.
func runProbe(kubelet, p *pods.Pod, probe corev1.ProbeHandler) error {
	switch {
	case probe.HTTPGet != nil:
		status, err := httpGet(kubelet, p, probe.HTTPGet)
		if err == nil && (status < 200 || status >= 400) {
			err = fmt.Errorf("status %d", status)
		}
		return err
	case probe.GRPC != nil:
		return runGRPCProbe(kubelet, p, probe.GRPC)
	default:
		conn, err := kubelet.NS.Dial(context.Background(), "tcp", nstest.Address(p.IP.String(), uint16(probe.TCPSocket.Port.IntVal)))
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
}

// hook calls a hook as the kubelet does: every response is a success.
func hook(kubelet, p *pods.Pod, get *corev1.HTTPGetAction) error {
	_, err := httpGet(kubelet, p, get)
	return err
}

func httpGet(kubelet, p *pods.Pod, get *corev1.HTTPGetAction) (int, error) {
	scheme := "http"
	if get.Scheme == corev1.URISchemeHTTPS {
		scheme = "https"
	}
	client := kubelet.NS.HTTP()
	// The kubelet does not verify the certificates of probes.
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	answer, err := client.Get(scheme + "://" + nstest.Address(p.IP.String(), uint16(get.Port.IntVal)) + get.Path)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

func runGRPCProbe(kubelet, p *pods.Pod, probe *corev1.GRPCAction) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := grpc.NewClient("passthrough:///"+nstest.Address(p.IP.String(), uint16(probe.Port)),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return kubelet.NS.Dial(ctx, "tcp", address)
		}))
	if err != nil {
		return err
	}
	defer conn.Close()
	request := &healthpb.HealthCheckRequest{}
	if probe.Service != nil {
		request.Service = *probe.Service
	}
	answer, err := healthpb.NewHealthClient(conn).Check(ctx, request)
	if err == nil && answer.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		err = fmt.Errorf("status %s", answer.GetStatus())
	}
	return err
}
