package snapshot

import (
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// Proxy is a connected sidecar as it is now.
type Proxy struct {
	Pod    catalog.Name
	PodUID string
	Scope  scope.Key
	Since  time.Time
	// Types says for each type of resources how far the sidecar is.
	Types map[Type]TypeStatus
	// Offered are the versions of all that the sidecar's scope offers, by type: equal for equal configuration, in all replicas.
	// A sidecar that is not Behind and rejects nothing has them. Endpoints and service certificates are not counted.
	Offered map[Type]string
	// CertificateEnd is when the certificate expires that the sidecar has acknowledged; zero when it has none yet.
	CertificateEnd time.Time
	// Software is what the sidecar says of itself.
	Software Software
}

// Software is what a sidecar says that it is made of. It proves nothing, and nobody is configured by it.
type Software struct {
	// Envoy is its release, such as 1.40.0, and Bootstrap the version of what it was started from; empty when it does not say.
	Envoy, Bootstrap string
	// Unserved says why it is sent nothing; empty when it is served.
	Unserved string
}

// UpToDate says whether the sidecar has accepted everything that it should have.
func (p Proxy) UpToDate() bool {
	if p.Software.Unserved != "" {
		return false
	}
	for _, t := range p.Types {
		if t.Rejection != "" || !t.Behind.IsZero() {
			return false
		}
	}
	return true
}

// TypeStatus is how far a sidecar is with one type of resources. Counts are of responses, since the stream began.
type TypeStatus struct {
	Sent, Accepted, Rejected uint64
	// Rejection is the sidecar's text about what it was sent and does not use; empty when it uses everything.
	Rejection string
	// Answered is when the sidecar last accepted or rejected a response.
	Answered time.Time
	// Behind is since when the sidecar lacks something of the type; zero when it has all.
	Behind time.Time
}

// Waiting says whether a response is not yet answered.
func (t TypeStatus) Waiting() bool { return t.Sent > t.Accepted+t.Rejected }

// status is what a stream knows of its sidecar's answers.
type status struct {
	mu       sync.Mutex
	software Software
	types    [numTypes]TypeStatus
	// certificateSent and certificateHeld are when the certificates expire that the sidecar was last sent and acknowledged.
	certificateSent, certificateHeld time.Time
}

// Introduce notes what the sidecar says of itself.
func (s *Stream) Introduce(software Software) {
	s.status.mu.Lock()
	defer s.status.mu.Unlock()
	s.status.software = software
}

func (s *status) sent(r *Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.types[r.Type].Sent++
	if end, ok := r.certificateEnd(); ok {
		s.certificateSent = end
	}
}

// claims notes the certificate of an earlier stream, by its version, unless a newer one is on its way.
func (s *status) claims(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if end, ok := certificateEnd(version); ok && s.certificateSent.IsZero() {
		s.certificateHeld = end
	}
}

func (s *status) answered(v Verdict, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.types[v.Type]
	st.Rejection, st.Answered = v.Standing, now
	if v.Rejection == "" {
		st.Accepted++
		if v.Type == Secrets && !s.certificateSent.IsZero() {
			s.certificateHeld = s.certificateSent
		}
	} else {
		st.Rejected++
	}
}

// registry lists the connected streams for readers outside the Store's goroutine.
type registry struct {
	mu      sync.Mutex
	streams map[*Stream]struct{}
	// pods counts the streams of each pod, by UID.
	pods map[string]int
}

func (r *registry) add(s *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.streams == nil {
		r.streams, r.pods = map[*Stream]struct{}{}, map[string]int{}
	}
	r.streams[s] = struct{}{}
	r.pods[s.peer.PodUID]++
}

func (r *registry) remove(s *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.streams, s)
	if r.pods[s.peer.PodUID]--; r.pods[s.peer.PodUID] <= 0 {
		delete(r.pods, s.peer.PodUID)
	}
}

func (r *registry) has(uid string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pods[uid] > 0
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.streams)
}

func (r *registry) list() []*Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*Stream, 0, len(r.streams))
	for s := range r.streams {
		list = append(list, s)
	}
	return list
}

// Connected says whether the sidecar of the pod with that UID is connected.
func (s *Store) Connected(uid string) bool { return s.registry.has(uid) }

// Proxies are the connected sidecars, sorted by pod.
func (s *Store) Proxies() []Proxy {
	streams := s.registry.list()
	proxies := make([]Proxy, 0, len(streams))
	offered := map[*scopeNode]map[Type]string{}
	for _, stream := range streams {
		p, n := stream.proxy()
		if offered[n] == nil {
			offered[n] = n.versions()
		}
		p.Offered = offered[n]
		proxies = append(proxies, p)
	}
	slices.SortFunc(proxies, func(a, b Proxy) int { return a.Pod.Compare(b.Pod) })
	return proxies
}

// versions are those of everything of a type together.
func (n *scopeNode) versions() map[Type]string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	versions := map[Type]string{}
	for t := range numTypes {
		sum := uint64(0) // of what does not depend on the order of names
		for _, c := range n.contents[t] {
			sum ^= c.hash
		}
		if len(n.contents[t]) > 0 {
			versions[t] = formatVersion(sum)
		}
	}
	return versions
}

func (s *Stream) proxy() (Proxy, *scopeNode) {
	s.mu.Lock()
	n := s.scope
	s.mu.Unlock()
	p := Proxy{Pod: s.peer.Pod, PodUID: s.peer.PodUID, Scope: n.key, Since: s.since, Types: map[Type]TypeStatus{}}
	s.status.mu.Lock()
	defer s.status.mu.Unlock()
	p.CertificateEnd, p.Software = s.status.certificateHeld, s.status.software
	for t := range numTypes {
		if s.status.types[t] != (TypeStatus{}) {
			p.Types[t] = s.status.types[t]
		}
	}
	return p, n
}
