package peering

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

type clientStream = discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient

// newExporter returns a running mesh east that exports shop/cart to west, which is not running.
func newExporter(t *testing.T, times timing) (east, west *testMesh) {
	t.Helper()
	east, west = newMesh(t, eastDomain), newMesh(t, westDomain)
	east.timing = times
	east.export("cart", "west")
	east.start(t, west.address(), west.peer("west"))
	_ = west.listener.Close()
	eventually.True(t, waitLimit, "the export is read", func() bool { return east.peering.Exported("west").Services == 1 })
	return east, west
}

// open opens a stream to east with a certificate and a server name.
func open(t *testing.T, east *testMesh, own *tls.Certificate, serverName string, options ...grpc.DialOption) clientStream {
	t.Helper()
	config := &tls.Config{ServerName: serverName, InsecureSkipVerify: true, NextProtos: []string{"h2"}}
	if own != nil {
		config.Certificates = []tls.Certificate{*own}
	}
	options = append(options, grpc.WithTransportCredentials(credentials.NewTLS(config)), grpc.WithNoProxy())
	conn, err := grpc.NewClient("passthrough:///"+east.address(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	t.Cleanup(cancel)
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		return nil
	}
	return stream
}

func (m *testMesh) own(t testing.TB) *tls.Certificate {
	t.Helper()
	own, err := m.certificates.Get(m.domain)
	if err != nil {
		t.Fatal(err)
	}
	return own
}

func westToEast() string { return identity.DiscoveryServerName(eastDomain, westDomain) }

func first() *discovery.DeltaDiscoveryRequest {
	return &discovery.DeltaDiscoveryRequest{TypeUrl: typeURL, ResourceNamesSubscribe: []string{"*"}}
}

// answersFirst reports whether the server answers a stream.
func answersFirst(stream clientStream) bool {
	if stream == nil || stream.Send(first()) != nil {
		return false
	}
	_, err := stream.Recv()
	return err == nil
}

// issue issues a certificate of a mesh with any names.
func (m *testMesh) issue(t *testing.T, change func(*x509.Certificate)) *tls.Certificate {
	t.Helper()
	rootKey, err := m.root.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"ads." + m.domain}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	change(template)
	der := pki.Load(t, m.root.CertPEM(), rootKey).Sign(t, template, key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestOnlyThePeerConnects connects with certificates and server names that are not those of a peer.
func TestOnlyThePeerConnects(t *testing.T) {
	east, west := newExporter(t, timing{})
	other := newMesh(t, "other.example")
	forger := newMesh(t, westDomain)
	names := func(names ...string) *tls.Certificate {
		return west.issue(t, func(c *x509.Certificate) { c.DNSNames = names })
	}
	for name, test := range map[string]struct {
		own        *tls.Certificate
		serverName string
		want       bool
	}{
		"the peer":                  {west.own(t), westToEast(), true},
		"issued by the peer":        {names("ads." + westDomain), westToEast(), true},
		"no certificate":            {nil, westToEast(), false},
		"a workload of the peer":    {names("client.web." + westDomain), westToEast(), false},
		"a subdomain":               {names("ads.web." + westDomain), westToEast(), false},
		"a name of this mesh":       {names("ads."+westDomain, "ads."+eastDomain), westToEast(), false},
		"a wildcard":                {names("*." + westDomain), westToEast(), false},
		"a URI of this mesh":        {west.issue(t, func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: eastDomain, Path: "/a/b"}} }), westToEast(), false},
		"an address":                {west.issue(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }), westToEast(), false},
		"a server":                  {west.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), westToEast(), false},
		"expired":                   {west.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }), westToEast(), false},
		"another root":              {forger.own(t), westToEast(), false},
		"another mesh":              {other.own(t), westToEast(), false},
		"another mesh and its name": {other.own(t), identity.DiscoveryServerName(eastDomain, "other.example"), false},
		"this mesh":                 {east.own(t), westToEast(), false},
		"the name of another mesh":  {west.own(t), identity.DiscoveryServerName("other.example", westDomain), false},
		"the usual name":            {west.own(t), "ads." + eastDomain, false},
		"no name":                   {west.own(t), "", false},
	} {
		if got := answersFirst(open(t, east, test.own, test.serverName)); got != test.want {
			t.Errorf("%s: answered %t, want %t", name, got, test.want)
		}
	}
}

// TestTLS12IsNotSpoken connects with an earlier version of TLS.
func TestTLS12IsNotSpoken(t *testing.T) {
	east, west := newExporter(t, timing{})
	config := &tls.Config{ServerName: westToEast(), InsecureSkipVerify: true, Certificates: []tls.Certificate{*west.own(t)}, MaxVersion: tls.VersionTLS12}
	if conn, err := tls.Dial("tcp", east.address(), config); err == nil {
		_ = conn.Close()
		t.Error("the server speaks TLS 1.2")
	}
}

// TestStreamsOfAPeerAreLimited opens more streams than a peer may have, then closes one.
func TestStreamsOfAPeerAreLimited(t *testing.T) {
	east, west := newExporter(t, timing{})
	for i := range maxStreamsOfPeer {
		if !answersFirst(open(t, east, west.own(t), westToEast())) {
			t.Fatalf("stream %d is not answered", i)
		}
	}
	extra := open(t, east, west.own(t), westToEast())
	_ = extra.Send(first())
	if _, err := extra.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("error %v", err)
	}
	if n := east.peering.Exported("west").Streams; n != maxStreamsOfPeer {
		t.Errorf("%d streams", n)
	}
}

// TestSlowHandshakesDoNotDelayThePeer opens connections that send a byte and wait.
func TestSlowHandshakesDoNotDelayThePeer(t *testing.T) {
	times := defaultTiming()
	times.pending = time.Second
	east, west := newExporter(t, times)
	var slow []net.Conn
	for range 2 * maxPending {
		conn, err := net.Dial("tcp", east.address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = conn.Write([]byte{0x16})
		slow = append(slow, conn)
	}
	if !answersFirst(open(t, east, west.own(t), westToEast())) {
		t.Error("the peer is not answered")
	}
	for i, conn := range slow {
		_ = conn.SetReadDeadline(time.Now().Add(waitLimit))
		if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Fatalf("connection %d is still open", i)
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// TestClientsThatDoNotReadAreClosed reads nothing, or answers nothing, while records change.
func TestClientsThatDoNotReadAreClosed(t *testing.T) {
	times := defaultTiming()
	times.ack = 500 * time.Millisecond
	east, west := newExporter(t, times)
	for i := range 60 {
		east.export(fmt.Sprintf("s%02d", i), "west")
	}
	eventually.True(t, waitLimit, "the exports are read", func() bool { return east.peering.Exported("west").Services == 61 })
	ends := func() bool { return east.peering.Exported("west").Streams == 0 }
	silent := open(t, east, west.own(t), westToEast())
	eventually.True(t, waitLimit, "there is a stream", func() bool { return !ends() })
	eventually.True(t, waitLimit, "a stream without a request ends", ends)
	unread := open(t, east, west.own(t), westToEast(), grpc.WithStaticStreamWindowSize(64<<10))
	_ = unread.Send(first())
	eventually.True(t, waitLimit, "there is a stream", func() bool { return !ends() })
	eventually.True(t, waitLimit, "a stream that is not read ends", ends)
	unanswered := open(t, east, west.own(t), westToEast())
	if !answersFirst(unanswered) {
		t.Fatal("no answer")
	}
	eventually.True(t, waitLimit, "a stream without an acknowledgement ends", ends)
	_ = silent
}

// TestRequestsArePaced sends many requests at once. The server reads a few a second.
func TestRequestsArePaced(t *testing.T) {
	east, west := newExporter(t, timing{})
	stream := open(t, east, west.own(t), westToEast())
	for range 10 {
		if err := stream.Send(first()); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	if err := stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: "x"}); err != nil {
		t.Fatal(err)
	}
	_, _ = stream.Recv()
	if _, err := stream.Recv(); err == nil {
		t.Fatal("a request of another type was accepted")
	}
	if d := time.Since(begin); d < 5*requestInterval {
		t.Errorf("11 requests were read within %s", d)
	}
}

// TestUnknownVersionsAreRemoved begins with versions of records that do not exist, of any form.
func TestUnknownVersionsAreRemoved(t *testing.T) {
	east, west := newExporter(t, timing{})
	request := first()
	request.InitialResourceVersions = map[string]string{"service/shop/gone": "1.x", "trust": "later", "service/shop/cart": "9223372036854775807.x"}
	stream := open(t, east, west.own(t), westToEast())
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	response, err := stream.Recv()
	if err != nil || len(response.GetRemovedResources()) != 1 || len(response.GetResources()) != 2 {
		t.Errorf("error %v, response %v", err, response)
	}
}
