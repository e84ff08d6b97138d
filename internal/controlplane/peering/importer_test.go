package peering

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
)

// TestGenerationsWithinAnEpoch receives records of the same name. Only a stream can begin another epoch.
func TestGenerationsWithinAnEpoch(t *testing.T) {
	east := newMesh(t, eastDomain)
	into := newTestImporter(t, east)
	for _, step := range []struct {
		epoch      string
		generation int64
		accepted   bool
	}{
		{"1", 5, true}, {"1", 4, false}, {"1", 5, true}, {"1", 6, true}, {"2", 1, true}, {"2", 2, true}, {"2", 1, false},
	} {
		r := record("cart", step.generation)
		r.Epoch = step.epoch
		result, err := into.receive(response(east.resource(r)))
		if err != nil || (result.rejected == nil) != step.accepted || len(result.changes) > 0 != step.accepted {
			t.Errorf("epoch %s, generation %d: %+v, error %v", step.epoch, step.generation, result, err)
		}
	}
}

// trustRecord is the record of trust of east with a bundle.
func trustRecord(bundle []byte) peering.Record {
	r := record("", 5)
	r.Kind, r.Namespace, r.Service, r.Trust = peering.KindTrust, "", nil, &peering.Trust{Bundle: string(bundle)}
	return r
}

// TestStoredRecordsOfAnotherEpochAreIgnored stores a record of an epoch that is not that of the stored trust.
func TestStoredRecordsOfAnotherEpochAreIgnored(t *testing.T) {
	east := newMesh(t, eastDomain)
	other := record("other", 5)
	other.Epoch = "2"
	from := newTestImporter(t, east)
	if _, err := from.receive(response(east.resource(trustRecord(east.manager.Root())), east.resource(record("cart", 5)), east.resource(other))); err != nil {
		t.Fatal(err)
	}
	data, err := from.save()
	if err != nil {
		t.Fatal(err)
	}
	into := newTestImporter(t, east)
	changes, err := into.load(data)
	if err == nil || reasonOf(err) != ReasonOldGeneration || len(changes) != 1 || into.services() != 1 {
		t.Errorf("error %v, changes %v", err, changes)
	}
	for name, damaged := range map[string][]byte{"no state": []byte("x"), "half of it": data[:len(data)/2]} {
		if changes, err := newTestImporter(t, east).load(damaged); err == nil || len(changes) > 0 {
			t.Errorf("%s: error %v, changes %v", name, err, changes)
		}
	}
}

// TestStoredRecordsOutliveTheirCertificates reads a stored state after the certificates of its signatures have expired. On a stream they are not accepted.
func TestStoredRecordsOutliveTheirCertificates(t *testing.T) {
	east := newMesh(t, eastDomain)
	from := newTestImporter(t, east)
	sent := response(east.resource(trustRecord(east.manager.Root())), east.resource(record("cart", 5)))
	if _, err := from.receive(sent); err != nil {
		t.Fatal(err)
	}
	data, err := from.save()
	if err != nil {
		t.Fatal(err)
	}
	into := newTestImporter(t, east)
	into.now = func() time.Time { return time.Now().Add(90 * 24 * time.Hour) }
	if _, err := into.load(data); err != nil || into.services() != 1 {
		t.Errorf("error %v, %d Services", err, into.services())
	}
	if result, err := into.receive(sent); err != nil || result.rejected == nil || reasonOf(result.rejected) != ReasonUntrusted {
		t.Errorf("error %v, rejected %v", err, result.rejected)
	}
	future := record("cart", 9)
	future.IssuedAt = time.Now().Add(time.Hour).Unix()
	v := into.verifier(true)
	v.now = time.Now()
	if _, err := v.verify(signedText(t, east.own(t), future), east.manager.Root()); err == nil {
		t.Error("a stored record of the future is accepted")
	}
}

func signedText(t *testing.T, own *tls.Certificate, r peering.Record) string {
	t.Helper()
	signed, err := sign(own, r)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// TestRecordsAreRequestedAgainAfterARotation replaces the declared roots of a peer. Its Services remain until the peer has sent them again.
func TestRecordsAreRequestedAgainAfterARotation(t *testing.T) {
	east, next := newMesh(t, eastDomain), newMesh(t, eastDomain)
	into := newTestImporter(t, east)
	if _, err := into.receive(response(east.resource(record("cart", 5)))); err != nil {
		t.Fatal(err)
	}
	if v := into.versions()["service/shop/cart"]; v == unknownVersion {
		t.Errorf("version %s at first", v)
	}
	into.peers.set([]Peer{next.peer("east")})
	if changes := into.setPeer(next.peer("east")); len(changes) > 0 || into.services() != 1 {
		t.Errorf("changes %v", changes)
	}
	if v := into.versions()["service/shop/cart"]; v != unknownVersion {
		t.Errorf("version %s is not requested again", v)
	}
	if result, err := into.receive(response(next.resource(record("cart", 5)))); err != nil || result.rejected != nil || into.held["service/shop/cart"].unverified {
		t.Errorf("error %v, %+v", err, result)
	}
	moved := next.peer("east")
	moved.TrustDomain = "other.example"
	if changes := into.setPeer(moved); len(changes) != 1 || into.bytes != 0 {
		t.Errorf("another mesh has the Services of the one before: %v, %d bytes", changes, into.bytes)
	}
}

// TestFollowingHasAnEnd sends a bundle that is not declared, and waits.
func TestFollowingHasAnEnd(t *testing.T) {
	east, next := newMesh(t, eastDomain), newMesh(t, eastDomain)
	now := time.Now()
	into := newTestImporter(t, east)
	into.peers.now, into.now = func() time.Time { return now }, func() time.Time { return now }
	peer := east.peer("east")
	peer.Follow = true
	into.peers.set([]Peer{peer})
	into.setPeer(peer)
	both := append(east.manager.Root(), next.manager.Root()...)
	result, err := into.receive(response(east.resource(trustRecord(both))))
	if err != nil || result.rejected != nil {
		t.Fatalf("error %v, rejected %v", err, result.rejected)
	}
	fromNext := response(next.resource(record("cart", 5)))
	if result, _ := into.receive(fromNext); result.rejected != nil {
		t.Errorf("rejected %v", result.rejected)
	}
	trusted, _ := into.peers.trusted("east")
	if !trusted.Differs || trusted.Until.Sub(now) > peering.MaxFollow {
		t.Errorf("trusted %+v", trusted)
	}
	now = now.Add(peering.MaxFollow)
	if trusted, _ := into.peers.trusted("east"); !trusted.Until.IsZero() {
		t.Errorf("followed until %v", trusted.Until)
	}
	peer.RootsPEM = both
	into.peers.set([]Peer{peer})
	into.setPeer(peer)
	if trusted, _ := into.peers.trusted("east"); trusted.Differs || len(into.trail) > 0 {
		t.Errorf("after the declaration: %+v, %d steps", trusted, len(into.trail))
	}
}

// TestRecordsOfLaterKindsAreKept receives a record of a kind that a later version has. It has no effect, and can be removed.
func TestRecordsOfLaterKindsAreKept(t *testing.T) {
	east := newMesh(t, eastDomain)
	into := newTestImporter(t, east)
	later := record("", 5)
	later.Kind, later.Namespace, later.Service = "machines", "", nil
	result, err := into.receive(response(east.resource(later)))
	if err != nil || result.rejected != nil || len(result.changes) > 0 || into.versions()["machines"] == "" {
		t.Errorf("error %v, %+v, versions %v", err, result, into.versions())
	}
	removal := response()
	removal.RemovedResources = []string{"machines", "service/shop/unknown"}
	if result, err := into.receive(removal); err != nil || len(result.changes) > 0 || into.bytes != 0 || len(into.held) > 0 {
		t.Errorf("error %v, %+v, %d bytes", err, result, into.bytes)
	}
}

// TestRejectionsNeedLittleMemory receives records with large certificates that are not trusted.
func TestRejectionsNeedLittleMemory(t *testing.T) {
	east, forger := newMesh(t, eastDomain), newMesh(t, eastDomain)
	into := newTestImporter(t, east)
	large := forger.issue(t, func(c *x509.Certificate) {
		c.DNSNames = []string{"ads." + eastDomain}
		for i := range 200 {
			c.DNSNames = append(c.DNSNames, fmt.Sprintf("a-long-name-that-needs-memory-%d.%s", i, eastDomain))
		}
	})
	before := heap()
	for i := range maxRejected + 10 {
		if _, err := into.receive(response(resourceSignedBy(large, record(fmt.Sprintf("s%03d", i), 5)))); err != nil {
			t.Fatal(err)
		}
	}
	if used := int64(heap()) - int64(before); used > 1<<20 || len(into.rejected) != maxRejected {
		t.Errorf("%d rejections need %d bytes", len(into.rejected), used)
	}
}

// FuzzReceive receives any message. Whatever it is, the limits hold.
func FuzzReceive(f *testing.F) {
	east := newMesh(f, eastDomain)
	f.Add("service/shop/cart", []byte("a.b.c"))
	f.Add("trust", []byte(signed(f, east)))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		into := newTestImporter(t, east)
		_, _ = into.receive(&discovery.DeltaDiscoveryResponse{TypeUrl: typeURL, Resources: response(rawResource(name, string(content))).GetResources()})
		if len(into.held) > 1 || into.bytes > maxTotalBytes {
			t.Errorf("held %d records, %d bytes", len(into.held), into.bytes)
		}
	})
}

func signed(tb testing.TB, east *testMesh) string {
	tb.Helper()
	text, err := sign(east.own(tb), trustRecord(east.manager.Root()))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}
