package peering

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestRootsAreReportedOnceOthersHaveThem changes the roots of a peer at random: one is reported if it has been trusted for the delay, or since the beginning.
func TestRootsAreReportedOnceOthersHaveThem(t *testing.T) {
	roots := [][]byte{pki.New(t).RootPEM, pki.New(t).RootPEM, pki.New(t).RootPEM}
	fingerprints := make([]string, len(roots))
	for i, root := range roots {
		fingerprints[i] = fullFingerprints(t, root)[0]
	}
	rapid.Check(t, func(t *rapid.T) {
		const delay = time.Minute
		accepted, now := newAcceptedRoots(delay), time.Now()
		since := map[string]time.Time{}
		for step := range 20 {
			now = now.Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "seconds")) * time.Second)
			trusted, want := []byte(nil), []string(nil)
			for i, fingerprint := range fingerprints {
				if !rapid.Bool().Draw(t, "trusted") {
					delete(since, fingerprint)
					continue
				}
				if trusted = append(trusted, roots[i]...); since[fingerprint].IsZero() {
					since[fingerprint] = now
					if step == 0 {
						since[fingerprint] = now.Add(-delay)
					}
				}
				if now.Sub(since[fingerprint]) >= delay {
					want = append(want, fingerprint)
				}
			}
			slices.Sort(want)
			before := accepted.of("east")
			changed := accepted.update("east", trusted, now)
			if got := accepted.of("east"); !slices.Equal(got, want) || changed == slices.Equal(got, before) {
				t.Fatalf("step %d reports %v, changed %t, want %v", step, got, changed, want)
			}
		}
		accepted.retain(nil)
		if accepted.of("east") != nil || len(accepted.since) > 0 {
			t.Fatal("a removed peer has roots")
		}
	})
}

func fullFingerprints(t testing.TB, roots []byte) []string {
	t.Helper()
	fingerprints, err := certificate.FullFingerprints(roots)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(fingerprints)
	return fingerprints
}

// TestPeersAcknowledgeRoots rotates the root of a mesh whose peer follows it, follows nothing, or has declared the next root before.
func TestPeersAcknowledgeRoots(t *testing.T) {
	next, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		follow, declares bool
	}{
		"follows": {follow: true}, "declares the next root": {declares: true}, "does neither": {},
	} {
		t.Run(name, func(t *testing.T) {
			east, west := newMesh(t, eastDomain), newMesh(t, westDomain)
			declared := east.peer("east")
			if declared.Follow = test.follow; test.declares {
				declared.RootsPEM = slices.Concat(declared.RootsPEM, next.CertPEM())
			}
			west.timing = defaultTiming()
			west.timing.accept = 0
			east.start(t, west.address(), west.peer("west"))
			west.start(t, east.address(), declared)
			first := fullFingerprints(t, east.root.CertPEM())
			acknowledged := func() []string { return east.state().Acknowledged }
			eventually.True(t, waitLimit, "west acknowledges the first root", func() bool { return slices.Equal(acknowledged(), first) })
			both := issuingWith(t, east.root, next)
			east.manager.SetRoot(both)
			east.peering.server.publisher.publish()
			eventually.True(t, waitLimit, "the bundle arrives", func() bool { return len(west.state().Fingerprints) == 2 })
			west.peering.server.publisher.publish()
			if test.follow || test.declares {
				want := fullFingerprints(t, both.CertPEM())
				eventually.True(t, waitLimit, "west acknowledges both roots", func() bool { return slices.Equal(acknowledged(), want) })
			} else if got := acknowledged(); !slices.Equal(got, first) {
				t.Errorf("west acknowledges %v, and trusts only the first root", got)
			}
			west.stop()
			eventually.True(t, waitLimit, "a peer that is away acknowledges nothing", func() bool { return len(acknowledged()) == 0 })
		})
	}
}

// TestPeersThatDoNotReportAcknowledgeNothing has a peer of an earlier version, one that names other roots, and one whose latest record is rejected.
func TestPeersThatDoNotReportAcknowledgeNothing(t *testing.T) {
	east, west := newMesh(t, eastDomain), newMesh(t, westDomain)
	own, other := fullFingerprints(t, west.root.CertPEM()), fullFingerprints(t, east.root.CertPEM())
	for name, test := range map[string]struct {
		accepted, want []string
		then           func(*peering.Record)
	}{
		"reports":           {accepted: own, want: own},
		"does not report":   {},
		"names other roots": {accepted: other},
		"a rejected record": {accepted: own, then: func(r *peering.Record) { r.Trust.Accepted = []string{"x"} }},
	} {
		peers := newRegistry(time.Now)
		peers.set([]Peer{east.peer("east")})
		c := newClient(west.config(""), peers, newMetrics(west.config("").Metrics), east.peer("east"))
		c.connected = true
		sent := trustRecord(east.manager.Root())
		sent.Trust.Accepted = test.accepted
		receiveRecord(t, c, east, sent)
		if test.then != nil {
			test.then(&sent)
			receiveRecord(t, c, east, sent)
		}
		if got := c.state().Acknowledged; !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

func receiveRecord(t *testing.T, c *client, from *testMesh, r peering.Record) {
	t.Helper()
	if _, err := c.importer.receive(response(from.resource(r))); err != nil {
		t.Fatal(err)
	}
}
