package scripts_test

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// fakePods is a proxy in front of an API server without nodes. It forwards requests for the API server, and answers requests for ports of pods
// (port-forward or the pod proxy) with the file <folder>/<namespace>/<pod>/<port>/<path>. A port without a folder is closed. Logs of
// containers are the files <folder>/<namespace>/<pod>/logs/<container>; without one, the API server answers.
type fakePods struct {
	// url is the address of the proxy, with a TLS certificate of ca (PEM). Clients have all permissions, unless they drop them by
	// impersonation.
	url string
	ca  []byte

	folder      string
	certificate map[string]tls.Certificate
	behind      http.Handler
	server      *httptest.Server

	mu sync.Mutex
	// ports are the servers for ports of pods, by folder.
	ports map[string]*httptest.Server
}

// newFakePods starts a proxy. Ports with an entry in certificates, such as "9094", use TLS with that certificate.
func newFakePods(apiServer *rest.Config, folder string, certificates map[string]tls.Certificate) (*fakePods, error) {
	transport, err := rest.TransportFor(apiServer)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(apiServer.Host)
	if err != nil {
		return nil, fmt.Errorf("the address of the API server: %w", err)
	}
	f := &fakePods{folder: folder, certificate: certificates, ports: map[string]*httptest.Server{}}
	f.behind = &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Authorization")
		},
	}
	f.server = httptest.NewTLSServer(f)
	f.url = f.server.URL
	f.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw})
	return f, nil
}

// close closes all connections.
func (f *fakePods) close() {
	f.server.CloseClientConnections()
	f.server.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, port := range f.ports {
		port.CloseClientConnections()
		port.Close()
	}
}

// Requests to pods themselves.
var (
	forwarding = regexp.MustCompile(`^/api/v1/namespaces/([^/]+)/pods/([^/]+)/portforward$`)
	logging    = regexp.MustCompile(`^/api/v1/namespaces/([^/]+)/pods/([^/]+)/log$`)
	proxying   = regexp.MustCompile(`^/api/v1/namespaces/([^/]+)/pods/(?:https?:)?([^/:]+):([0-9]+)/proxy(/.*)$`)
)

// ServeHTTP implements http.Handler.
func (f *fakePods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if to := forwarding.FindStringSubmatch(r.URL.Path); to != nil {
		f.forward(w, r, filepath.Join(f.folder, to[1], to[2]))
		return
	}
	if to := proxying.FindStringSubmatch(r.URL.Path); to != nil {
		serveFile(w, filepath.Join(f.folder, to[1], to[2], to[3]), to[4])
		return
	}
	if to := logging.FindStringSubmatch(r.URL.Path); to != nil {
		if content, err := os.ReadFile(filepath.Join(f.folder, to[1], to[2], "logs", filepath.Base(r.URL.Query().Get("container")))); err == nil {
			_, _ = w.Write(content)
			return
		}
	}
	f.behind.ServeHTTP(w, r)
}

// serveFile responds to a request for a port with a file; the root is index.html.
func serveFile(w http.ResponseWriter, port, path string) {
	if path == "/" {
		path = "index.html"
	}
	content, err := os.ReadFile(filepath.Join(port, filepath.Clean("/"+path)))
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error": "not found"}`))
		return
	}
	_, _ = w.Write(content)
}

// port returns the address of the server for a port.
func (f *fakePods) port(pod, number string) (string, error) {
	folder := filepath.Join(pod, number)
	if _, err := os.Stat(folder); err != nil {
		return "", fmt.Errorf("connect to port %s: connection refused", number)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ports[folder] == nil {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serveFile(w, folder, r.URL.Path) }))
		if certificate, secured := f.certificate[number]; secured {
			server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
			server.StartTLS()
		} else {
			server.Start()
		}
		f.ports[folder] = server
	}
	return f.ports[folder].Listener.Addr().String(), nil
}

// portForwardProtocol is the protocol of port-forward.
const portForwardProtocol = "portforward.k8s.io"

// forward serves port-forward over SPDY, as a kubelet does: each connection has a data stream and an error stream.
// It rejects WebSockets, so clients fall back to SPDY.
func (f *fakePods) forward(w http.ResponseWriter, r *http.Request, pod string) {
	if !httpstream.IsUpgradeRequest(r) || r.Header.Get("Upgrade") == "websocket" {
		http.Error(w, "only SPDY is supported", http.StatusBadRequest)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{portForwardProtocol}); err != nil {
		return
	}
	failures := make(chan httpstream.Stream, 64)
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, _ <-chan struct{}) error {
		if stream.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
			failures <- stream
			return nil
		}
		go f.carry(pod, stream, <-failures)
		return nil
	})
	if connection == nil {
		return
	}
	defer func() { _ = connection.Close() }()
	<-connection.CloseChan()
}

// carry copies bytes between a stream and the port that it names.
func (f *fakePods) carry(pod string, data, failure httpstream.Stream) {
	defer func() { _ = data.Close(); _ = failure.Close() }()
	address, err := f.port(pod, data.Headers().Get(corev1.PortHeader))
	if err != nil {
		_, _ = fmt.Fprint(failure, err)
		return
	}
	var dialer net.Dialer
	server, err := dialer.Dial("tcp", address)
	if err != nil {
		_, _ = fmt.Fprint(failure, err)
		return
	}
	go func() {
		_, _ = io.Copy(server, data)
		_ = server.Close()
	}()
	_, _ = io.Copy(data, server)
}
