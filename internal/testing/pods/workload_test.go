package pods_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// workloadServices all select two pods of a StatefulSet; the alias is an ExternalName.
const workloadServices = `
metadata: {name: web}
spec:
  clusterIPs: [10.96.0.1, "fd96::1"]
  selector: {app: books}
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: chat, port: 81, targetPort: 8080, appProtocol: kubernetes.io/ws}
  - {name: api, port: 9000, targetPort: 9000, appProtocol: grpc}
  - {name: secure, port: 443, targetPort: 8443, appProtocol: https}
  - {name: tls-chat, port: 444, targetPort: 8443}
  - {name: mysql, port: 3306, targetPort: 3306}
  - {name: cache, port: 6379, targetPort: 6379, appProtocol: redis}
---
metadata: {name: admin}
spec:
  clusterIPs: [10.96.0.2]
  selector: {app: books}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
metadata: {name: books}
spec:
  clusterIPs: [None]
  selector: {app: books}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
metadata: {name: alias}
spec: {type: ExternalName, externalName: web.shop.svc.cluster.local}
`

const workloadPolicies = `
kind: HTTPRouteGroup
metadata: {name: paths}
spec:
  matches:
  - {name: pages, pathRegex: "/(books|chat|who).*"}
  - {name: calls, pathRegex: "/grpc.testing.TestService/.*", methods: [POST]}
  - {name: others, pathRegex: "/grpc.testing.ReconnectService/.*"}
---
kind: TCPRoute
metadata: {name: ports}
spec: {matches: {ports: [8443, 3306, 6379]}}
---
kind: TrafficTarget
metadata: {name: buyer}
spec:
  destination: {kind: ServiceAccount, name: books, namespace: shop}
  sources: [{kind: ServiceAccount, name: buyer, namespace: shop}]
  rules: [{kind: HTTPRouteGroup, name: paths, matches: [pages, calls]}]
---
kind: TrafficTarget
metadata: {name: buyer-tcp}
spec:
  destination: {kind: ServiceAccount, name: books, namespace: shop}
  sources: [{kind: ServiceAccount, name: buyer, namespace: shop}]
  rules: [{kind: TCPRoute, name: ports}]
---
kind: TrafficTarget
metadata: {name: nobody}
spec:
  destination: {kind: ServiceAccount, name: books, namespace: shop}
  sources: [{kind: ServiceAccount, name: nobody, namespace: shop}]
  rules: [{kind: HTTPRouteGroup, name: paths, matches: [others]}]
`

// TestWorkloads covers common workloads of OSM users: several Services and ports for one pod, protocols by appProtocol and by
// name, a StatefulSet, a client without a Service, both address families, and applications on the pod's address only.
func TestWorkloads(t *testing.T) {
	t.Parallel()
	v := newVillage(t)
	v.addPod(t, "buyer", "buyer", redirect.Config{})
	for _, name := range []string{"books-0", "books-1"} {
		// One of the two listens on the pod's address, for OSM's localProxyMode PodIP.
		toPodIP := name == "books-1"
		p := v.addPod(t, name, "books", redirect.Config{ToPodIP: toPodIP})
		host := "127.0.0.1"
		if toPodIP {
			host = p.IP.String()
		}
		v.applications(t, p, name, host)
	}
	v.services(t, workloadServices)
	v.addHandwritten(t, "books-1")
	v.policies(t, workloadPolicies)
	v.configure(t)
	t.Run("several Services with one name", v.severalServices)
	t.Run("pods of a StatefulSet", v.statefulSet)
	t.Run("alias", v.alias)
	t.Run("WebSocket", v.webSocket)
	t.Run("gRPC", v.grpc)
	t.Run("application TLS", v.ownTLS)
	t.Run("TCP", v.bytes)
	t.Run("both families", v.families)
	t.Run("Threat23 addresses of pods", v.podAddresses)
	t.Run("own Service", v.itself)
	t.Run("handwritten endpoints", v.handwritten)
}

// applications starts the applications of a pod on the given address.
func (v *village) applications(t *testing.T, p *pods.Pod, name, host string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s %s", name, r.Proto, r.Host) })
	mux.Handle("/chat", websocket.Handler(chat))
	serveHTTP(t, p.NS.Listen(t, nstest.Address(host, 8080)), mux)
	serveHTTP(t, tls.NewListener(p.NS.Listen(t, nstest.Address(host, 8443)), &tls.Config{Certificates: []tls.Certificate{ownCertificate(t)}}), mux)
	serveGRPC(t, p.NS.Listen(t, nstest.Address(host, 9000)), name)
	serveLines(p.NS.Listen(t, nstest.Address(host, 3306)), "greetings from "+name+"\n")
	serveLines(p.NS.Listen(t, nstest.Address(host, 6379)), "")
}

func serveHTTP(t *testing.T, listener net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
}

// serveLines sends the greeting, unless it is empty, and echoes every line.
func serveLines(listener net.Listener, greeting string) {
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, greeting)
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
}

// chat sends a message first, and answers every message twice.
func chat(ws *websocket.Conn) {
	_ = websocket.Message.Send(ws, "welcome")
	var message string
	for websocket.Message.Receive(ws, &message) == nil {
		_ = websocket.Message.Send(ws, "1 "+message)
		_ = websocket.Message.Send(ws, "2 "+message)
	}
}

// ownCertificate returns a certificate of the application, which the mesh does not trust.
func ownCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"own.example"}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (v *village) severalServices(t *testing.T) {
	buyer := v.pods["buyer"]
	answered := map[string]bool{}
	for range 20 {
		for _, url := range []string{"http://10.96.0.1/who", "http://10.96.0.1:81/who", "http://10.96.0.2/who"} {
			got := buyer.Get(t, url)
			if got.Status != 200 {
				t.Fatalf("%s = %+v, want 200", url, got)
			}
			name, _, _ := strings.Cut(got.Body, " ")
			answered[name] = true
		}
	}
	if !answered["books-0"] || !answered["books-1"] {
		t.Errorf("only %v answered, want both pods, which listen on different addresses", answered)
	}
	if got := buyer.Get(t, "http://10.96.0.2:81/who"); got.Err == nil {
		t.Errorf("a port that only another Service has = %+v, want a closed connection", got)
	}
}

// statefulSet checks that the address of each pod's DNS name reaches that pod.
func (v *village) statefulSet(t *testing.T) {
	for name, other := range map[string]string{"books-0": "books-1", "books-1": "books-0"} {
		p := v.pods[name]
		for _, url := range []string{
			"http://" + p.IP.String(), "http://[" + p.IP6.String() + "]", "http://" + p.IP.String() + ":8080",
		} {
			for range 3 {
				got := v.pods["buyer"].Get(t, url+"/who", "host: "+name+".books.shop.svc.cluster.local")
				if want := name + " HTTP/1.1 " + name + ".books.shop.svc.cluster.local"; got.Body != want {
					t.Errorf("%s = %+v, want %q and never %s", url, got, want, other)
				}
			}
		}
	}
}

// alias checks that the policies of the Service apply to requests with an ExternalName.
func (v *village) alias(t *testing.T) {
	if got := v.pods["buyer"].Get(t, "http://10.96.0.1/who", "host: alias.shop"); got.Status != 200 || !strings.HasSuffix(got.Body, " alias.shop") {
		t.Errorf("by the alias = %+v, want 200 and the alias as host", got)
	}
	if got := v.pods["buyer"].Get(t, "http://10.96.0.1/elsewhere", "host: alias.shop"); got.Status != 404 {
		t.Errorf("a path that is not granted, by the alias = %+v, want 404", got)
	}
}

func (v *village) webSocket(t *testing.T) {
	for name, address := range map[string]string{"HTTP": "10.96.0.1:80", "kubernetes.io/ws": "10.96.0.1:81"} {
		t.Run(name, func(t *testing.T) {
			conn, err := v.pods["buyer"].Dial(t, address)
			if err != nil {
				t.Fatal(err)
			}
			talk(t, conn, "ws://web/chat")
		})
	}
	conn, err := v.pods["buyer"].Dial(t, "10.96.0.1:81")
	if err != nil {
		t.Fatal(err)
	}
	config, err := websocket.NewConfig("ws://web/elsewhere", "http://web")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := websocket.NewClient(config, conn); err == nil {
		t.Error("a WebSocket was opened on a path that is not granted")
	}
}

// talk opens a WebSocket and exchanges messages.
func talk(t *testing.T, conn net.Conn, url string) {
	t.Helper()
	config, err := websocket.NewConfig(url, "http://web")
	if err != nil {
		t.Fatal(err)
	}
	ws, err := websocket.NewClient(config, conn)
	if err != nil {
		t.Fatal(err)
	}
	var heard []string
	for i := range 7 {
		if i%2 == 1 {
			if err := websocket.Message.Send(ws, fmt.Sprint("message ", i)); err != nil {
				t.Fatal(err)
			}
		}
		var message string
		if err := websocket.Message.Receive(ws, &message); err != nil {
			t.Fatalf("after %q: %v", heard, err)
		}
		heard = append(heard, message)
	}
	if got, want := strings.Join(heard, ", "), "welcome, 1 message 1, 2 message 1, 1 message 3, 2 message 3, 1 message 5, 2 message 5"; got != want {
		t.Errorf("received %q, want %q", got, want)
	}
}

// ownTLS checks that the application's TLS passes through the mTLS of the sidecars to the client.
func (v *village) ownTLS(t *testing.T) {
	for _, port := range []string{"443", "444"} {
		conn, err := v.pods["buyer"].Dial(t, "10.96.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		// The test verifies the certificate below.
		client := tls.Client(conn, &tls.Config{ServerName: "own.example", InsecureSkipVerify: true})
		if err := client.HandshakeContext(t.Context()); err != nil {
			t.Fatalf("port %s: %v", port, err)
		}
		if got := client.ConnectionState().PeerCertificates[0].DNSNames; len(got) != 1 || got[0] != "own.example" {
			t.Errorf("port %s shows the certificate of %v, want the application's", port, got)
		}
		talk(t, client, "wss://own.example/chat")
	}
	if got := v.pods["buyer"].Get(t, "http://10.96.0.1:443/who"); got.Status != 400 {
		t.Errorf("HTTP to the TLS port = %+v, want the application's 400", got)
	}
}

func (v *village) bytes(t *testing.T) {
	for _, address := range []string{"10.96.0.1:3306", "[fd96::1]:3306"} {
		conn, err := v.pods["buyer"].Dial(t, address)
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(line, "greetings from books-") {
			t.Errorf("%s sends %q, %v first, want a greeting", address, line, err)
		}
	}
	conn, err := v.pods["buyer"].Dial(t, "10.96.0.1:6379")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "PING\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "PING\n" {
		t.Errorf("the cache sends %q, %v, want an echo", line, err)
	}
}

func (v *village) families(t *testing.T) {
	for range 4 {
		if got := v.pods["buyer"].Get(t, "http://[fd96::1]/who"); got.Status != 200 {
			t.Errorf("over IPv6 = %+v, want 200", got)
		}
	}
}

// podAddresses checks that a Service with a virtual address cannot be reached by the addresses of its pods.
func (v *village) podAddresses(t *testing.T) {
	for _, port := range []string{"9000", "3306", "8443"} {
		for _, ip := range []string{v.pods["books-0"].IP.String(), "[" + v.pods["books-0"].IP6.String() + "]"} {
			if got, err := v.pods["buyer"].Exchange(t, ip+":"+port, "hello\n"); got != "" || isTimeout(err) {
				t.Errorf("%s:%s sends %q, %v, want a closed connection", ip, port, got, err)
			}
		}
	}
}

// itself checks that a pod needs a policy to call its own Service, and can then reach itself.
func (v *village) itself(t *testing.T) {
	if got, err := v.pods["books-0"].Exchange(t, "10.96.0.1:80", "hello\n"); got != "" || isTimeout(err) {
		t.Errorf("without a policy: %q, %v, want a closed connection", got, err)
	}
	v.policies(t, `
kind: TrafficTarget
metadata: {name: itself}
spec:
  destination: {kind: ServiceAccount, name: books, namespace: shop}
  sources: [{kind: ServiceAccount, name: books, namespace: shop}]
  rules: [{kind: HTTPRouteGroup, name: paths, matches: [pages]}]
`)
	v.configure(t)
	for _, name := range []string{"books-0", "books-1"} {
		answered := map[string]bool{}
		for range 20 {
			got := v.pods[name].Get(t, "http://10.96.0.1/who")
			if got.Status != 200 {
				t.Fatalf("%s calls its own Service and gets %+v, want 200", name, got)
			}
			who, _, _ := strings.Cut(got.Body, " ")
			answered[who] = true
		}
		if !answered["books-0"] || !answered["books-1"] {
			t.Errorf("%s calls its own Service and only %v answer, want both pods", name, answered)
		}
	}
}
