package snapshot

import (
	"fmt"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// sidecar is a modelled Envoy at the other end of a stream, with everything that is on its way between the two.
type sidecar struct {
	bench  *bench
	pod    *catalog.Pod
	envoy  *fakexds.Envoy
	stream *Stream
	q      *sequencer

	toServer []*discovery.DeltaDiscoveryRequest
	toEnvoy  []*discovery.DeltaDiscoveryResponse
	// rejected are the versions that the Envoy rejects, alone those that it rejected when they came alone, and lastRejection
	// when it last did. Judge says of other versions whether it rejects them; nil says no.
	rejected, alone map[string]bool
	judge           func(*discovery.Resource) bool
	lastRejection   time.Time
	log             []string
}

func newSidecar(b *bench, pod *catalog.Pod) *sidecar {
	return &sidecar{bench: b, pod: pod, envoy: fakexds.NewEnvoy(), rejected: map[string]bool{}, alone: map[string]bool{}}
}

// open begins a stream.
func (s *sidecar) open(t testing.TB) {
	s.stream = s.bench.mustConnect(t, s.pod)
	s.q = newSequencer()
	s.toServer, s.toEnvoy = s.envoy.Open(), nil
	s.log = append(s.log, "open")
}

// close cuts the stream; what was on its way is lost.
func (s *sidecar) close() {
	s.stream.Close()
	s.bench.run()
	s.toServer, s.toEnvoy = nil, nil
	s.log = append(s.log, "cut")
}

// flush lets the server send what it may.
func (s *sidecar) flush(t failer) {
	_, err := s.stream.flush(s.q, func(r *Response) error {
		message, err := r.Proto()
		if err != nil {
			return err
		}
		s.log = append(s.log, describe(message))
		for _, res := range message.GetResources() {
			if s.alone[versionKey(message, res)] {
				t.Fatalf("a version was sent again after it was rejected alone: %q", versionKey(message, res))
			}
			s.forgetRejected(message.GetTypeUrl(), []string{res.GetName()}) // another version came between
		}
		s.forgetRejected(message.GetTypeUrl(), message.GetRemovedResources())
		s.toEnvoy = append(s.toEnvoy, message)
		return nil
	})
	if err != nil {
		t.Fatalf("flush: %v", err)
	}
}

// forgetRejected forgets the rejections of names that were removed or asked for again: what was rejected may be sent again.
func (s *sidecar) forgetRejected(typeURL string, names []string) {
	for _, name := range names {
		for key := range s.alone {
			if strings.HasPrefix(key, typeURL+"\x00"+name+"\x00") {
				delete(s.alone, key)
			}
		}
	}
}

// deliverRequest brings one request to the server.
func (s *sidecar) deliverRequest(t failer) bool {
	if len(s.toServer) == 0 {
		return false
	}
	req := s.toServer[0]
	s.toServer = s.toServer[1:]
	s.forgetRejected(req.GetTypeUrl(), req.GetResourceNamesSubscribe())
	if err := s.stream.take(s.q, req); err != nil {
		t.Fatalf("request: %v", err)
	}
	s.flush(t)
	return true
}

// deliverResponse brings one response to the Envoy, which takes or rejects it. With reject, it begins to reject the last
// resource of the response.
func (s *sidecar) deliverResponse(t failer, reject bool) bool {
	if len(s.toEnvoy) == 0 {
		return false
	}
	response := s.toEnvoy[0]
	s.toEnvoy = s.toEnvoy[1:]
	resources := response.GetResources()
	if reject && len(resources) > 0 {
		s.rejected[versionKey(response, resources[len(resources)-1])] = true
	}
	if reject && len(resources) == 0 || s.rejects(response) {
		s.lastRejection = s.bench.now
		s.toServer = append(s.toServer, s.envoy.Reject(response, "no")...)
		s.log = append(s.log, "reject "+describe(response))
		return true
	}
	requests, err := s.envoy.Receive(response)
	if err != nil {
		t.Fatalf("response: %v", err)
	}
	s.toServer = append(s.toServer, requests...)
	return true
}

// rejects says whether the Envoy rejects a response: as a whole, without saying why, when it rejects any part of it.
func (s *sidecar) rejects(response *discovery.DeltaDiscoveryResponse) bool {
	rejected := false
	for _, res := range response.GetResources() {
		key := versionKey(response, res)
		if s.rejected[key] || s.judge != nil && s.judge(res) {
			s.rejected[key], rejected = true, true
			if len(response.GetResources()) == 1 {
				s.alone[key] = true
			}
		}
	}
	return rejected
}

// settle delivers everything, in time, until nothing moves any more.
func (s *sidecar) settle(t failer) {
	for range 10_000 {
		s.bench.run() // what the Store does about rejections
		s.flush(t)
		if s.deliverRequest(t) || s.deliverResponse(t, false) {
			continue
		}
		deadline := s.q.deadline()
		if deadline.IsZero() || deadline.Sub(s.bench.now) > time.Hour {
			return
		}
		if s.lastRejection.IsZero() && !s.q.resumed {
			t.Fatalf("something is held back though nothing is on its way:\n%s", strings.Join(s.log, "\n"))
		}
		s.bench.now = deadline
	}
	t.Fatalf("the stream does not come to rest:\n%s", strings.Join(s.log[len(s.log)-30:], "\n"))
}

// failer is the part of testing.TB that both testing.T and rapid.T have.
type failer interface{ Fatalf(string, ...any) }

func versionKey(r *discovery.DeltaDiscoveryResponse, res *discovery.Resource) string {
	return r.GetTypeUrl() + "\x00" + res.GetName() + "\x00" + res.GetVersion()
}

func describe(r *discovery.DeltaDiscoveryResponse) string {
	t, _ := ParseType(r.GetTypeUrl())
	var names []string
	for _, res := range r.GetResources() {
		names = append(names, fmt.Sprintf("%s@%.4s", res.GetName(), res.GetVersion()))
	}
	return fmt.Sprintf("%s %s: %v -%v", t, r.GetNonce(), names, r.GetRemovedResources())
}

// offered are the versions that a client which holds everything should hold: all clusters and listeners, and of the rest what
// it subscribed to.
func (s *sidecar) offered() map[string]map[string]string {
	n := s.stream.scope
	want := map[string]map[string]string{}
	for t := range numTypes {
		want[t.URL()] = map[string]string{}
		for name := range s.q.types[t].held {
			if c, ok := n.content(t, name); ok {
				want[t.URL()][name] = s.version(t, c)
			}
		}
		if t.wildcard() {
			for name, c := range n.contents[t] {
				want[t.URL()][name] = s.version(t, c)
			}
		}
	}
	return want
}

func (s *sidecar) version(t Type, c *content) string {
	version := c.hash
	if t == Endpoints {
		version = combine(c.hash, s.q.types[Clusters].held[c.name])
	}
	return Resource{content: c, version: version}.Version()
}

// TestSequencer drives random edits of a mesh, delays, rejections and cuts through a Store and a modelled Envoy, and asserts
// that the Envoy never uses a way that leads nowhere, and ends with exactly what its scope offers.
func TestSequencer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench()
		// A pod that random edits do not touch, with an account and a label that they use.
		probe := meshtest.Pod("a", "probe", "one", "one", "10.0.1.1")
		b.store.MarkSynced()
		b.apply(append(twoServices(), probe, accountOf(probe))...)
		s := newSidecar(b, probe)
		s.open(t)
		s.settle(rt)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			s.step(t, rt)
			s.checkDangling(rt)
		}
		s.settle(rt)
		s.checkDangling(rt)
		s.checkFinal(rt)
		for _, trace := range b.store.Traces() {
			if trace.Open != 0 || trace.Took == 0 {
				rt.Fatalf("a change is not over though everything is answered: %+v", trace)
			}
		}
	})
}

func (s *sidecar) step(t *testing.T, rt *rapid.T) {
	switch rapid.SampledFrom([]string{"edit", "edit", "request", "request", "request", "response", "response", "response", "reject", "wait", "rotate", "cut"}).Draw(rt, "step") {
	case "edit":
		change := sidecarSafe(meshtest.Change().Draw(rt, "change"))
		s.bench.store.Apply([]catalog.Change{change})
		s.bench.run()
		s.log = append(s.log, fmt.Sprintf("edit %v %+v", change.Ref, change.Entry))
		s.flush(rt)
	case "request":
		s.deliverRequest(rt)
	case "response":
		s.deliverResponse(rt, false)
	case "reject":
		s.deliverResponse(rt, true)
	case "wait":
		s.bench.now = s.bench.now.Add(100 * time.Millisecond)
		s.flush(rt)
	case "rotate":
		s.bench.certificates.rotate(s.pod.Identity())
		s.bench.store.CertificateRotated(s.pod.Identity())
		s.bench.run()
		s.flush(rt)
	case "cut":
		s.close()
		s.alone = map[string]bool{} // a new stream knows nothing of the old one's rejections
		s.open(t)
		s.flush(rt)
	}
}

// sidecarSafe keeps the probe's namespace in the mesh: leaving it ends the stream, which other tests are about. The probe may
// call the random services because it runs as one of the random accounts.
func sidecarSafe(change catalog.Change) catalog.Change {
	if change.Ref.Kind == catalog.KindNamespace && change.Ref.Name.Namespace == "a" {
		change.Entry = &catalog.Namespace{Name: "a", Monitored: true}
	}
	return change
}

// checkDangling fails when the configuration in use refers to what is not held. After a rejection that may happen.
func (s *sidecar) checkDangling(rt *rapid.T) {
	if len(s.rejected) > 0 || !s.lastRejection.IsZero() {
		return
	}
	if dangling := s.envoy.Dangling(); len(dangling) > 0 {
		rt.Fatalf("%s\n%s", strings.Join(dangling, "\n"), strings.Join(s.log, "\n"))
	}
}

func (s *sidecar) checkFinal(rt *rapid.T) {
	got := s.envoy.Versions()
	for typeURL, names := range got {
		for name, version := range names {
			want, offered := s.offered()[typeURL][name]
			if !offered && (version == "" || version == formatVersion(stub)) {
				delete(names, name)
			}
			if isServiceCertificate(name) && !s.q.acceptedUntil.IsZero() {
				names[name] = want // an older one that is still good
			}
			if offered && s.rejected[typeURL+"\x00"+name+"\x00"+want] {
				names[name] = want
			}
		}
	}
	want := s.offered()
	for typeURL, names := range want {
		for name, version := range names {
			if _, held := got[typeURL][name]; !held && s.rejected[typeURL+"\x00"+name+"\x00"+version] {
				delete(names, name)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Fatalf("the Envoy ended with something else (-offered +held):\n%s\n%s", diff, strings.Join(s.log, "\n"))
	}
	if s.envoy.Warming() && len(s.rejected) == 0 && s.lastRejection.IsZero() {
		rt.Fatalf("something still warms:\n%s", strings.Join(s.log, "\n"))
	}
}
