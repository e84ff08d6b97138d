package snapshot

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// slowCertificates are fakeCertificates whose answers are on their way until they are released.
type slowCertificates struct {
	*fakeCertificates
	began, released chan struct{}
	calls           int
}

func (c *slowCertificates) Certificate(sa identity.ServiceAccount) (Certificate, error) {
	if c.calls++; c.calls > 5 {
		return Certificate{}, errors.New("too many requests")
	}
	certificate, err := c.fakeCertificates.Certificate(sa)
	c.began <- struct{}{}
	<-c.released
	return certificate, err
}

// newSlowCertificates returns a mesh whose client waits for its certificate.
func newSlowCertificates(t *testing.T, failure error) (*harness, *slowCertificates, *Stream) {
	t.Helper()
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	c := &slowCertificates{fakeCertificates: h.certificates, began: make(chan struct{}, 10), released: make(chan struct{})}
	c.away, h.store.config.Certificates = failure, c
	p := &pendingStream{peer: peerOf(client), abort: func() {}, result: make(chan connectResult, 1)}
	h.store.addPending(p)
	h.store.process(h.store.queue.take()) // builds the scope, while the certificate is requested
	r := <-p.result
	if r.err != nil {
		t.Fatal(r.err)
	}
	<-c.began
	return h, c, r.stream
}

// certificateOf returns the certificate of a stream; empty without one.
func certificateOf(stream *Stream) string {
	if c := contentOf(stream, resourcetype.Secrets, envoy.ServiceCertName); c != nil {
		return string(c.Encoded())
	}
	return ""
}

// TestCertificateThatRotatesDuringARequestIsRequestedAgain rotates a certificate several times while an earlier one is on its way.
func TestCertificateThatRotatesDuringARequestIsRequestedAgain(t *testing.T) {
	h, c, stream := newSlowCertificates(t, nil)
	lines := h.recordLog("")
	for range 3 {
		c.rotate(stream.peer.ServiceAccount)
		h.store.CertificateRotated(stream.peer.ServiceAccount)
		h.store.process(h.store.queue.take())
	}
	close(c.released)
	h.run()
	if got := certificateOf(stream); !strings.Contains(got, "g1 a/client 3") {
		t.Errorf("the workload has the certificate %q, want the third one", got)
	}
	if c.calls != 2 || len(h.timers) > 0 {
		t.Errorf("%d certificates are requested and %d requests are delayed, want 2 and none", c.calls, len(h.timers))
	}
	lines.expect(t, "without a failure")
}

// TestCertificateOfAnUnusedIdentityIsNotRetried ends the last stream of a workload while its request fails.
func TestCertificateOfAnUnusedIdentityIsNotRetried(t *testing.T) {
	h, c, stream := newSlowCertificates(t, errors.New("the issuer is away"))
	lines := h.recordLog("has no certificate")
	stream.Close()
	h.store.process(h.store.queue.take())
	h.now = h.now.Add(idleTime)
	h.store.dropIdleScopes()
	select {
	case <-h.store.queue.wake:
	default:
	}
	close(c.released)
	<-h.store.queue.wake
	h.run()
	if len(h.timers) > 0 {
		t.Errorf("%d requests of an identity that is not in use are delayed, want none", len(h.timers))
	}
	lines.expect(t, "after the failure of an unused identity")
}

// TestCertificateRetries lets the issuer fail, return and fail again.
func TestCertificateRetries(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	h.store.config.Jitter = func() float64 { return 0.5 }
	var delays []time.Duration
	h.store.afterFunc = func(d time.Duration, f func()) {
		delays = append(delays, d)
		h.timers = append(h.timers, f)
	}
	lines := h.recordLog("has no certificate")
	h.certificates.away = errors.New("the issuer is away")
	stream := h.connect(t, client)
	h.fireTimers()
	h.certificates.away = nil
	h.fireTimers()
	if certificateOf(stream) == "" || len(h.timers) > 0 {
		t.Errorf("once the issuer is back, the workload has the certificate %q, and %d requests are delayed", certificateOf(stream), len(h.timers))
	}
	h.certificates.away = errors.New("the issuer is away again")
	h.rotate(client.Identity())
	if want := []time.Duration{1500 * time.Millisecond, 3 * time.Second, 1500 * time.Millisecond}; !slices.Equal(delays, want) {
		t.Errorf("the delays are %v, want %v: an answer resets them", delays, want)
	}
	lines.expect(t, "while the issuer is away", `"error"="the issuer is away" "identity"="a/client" "delay"="1.5s"`, `"delay"="3s"`, `"error"="the issuer is away again"`)

	n := stream.scope.Load().identity
	stream.Close()
	h.run()
	h.advance(idleTime)
	if h.fireTimers(); n.requesting {
		t.Error("the certificate of an identity that is not in use is requested")
	}
}
