package denials

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

const (
	// Window is the period of rates.
	Window = time.Minute
	// Expiry is how long a denial is kept after it occurred last.
	Expiry = time.Hour

	interval  = 5 * time.Second
	intervals = int(Window / interval)
)

// Bounds on the memory that sidecars can use. An entry takes about 500 bytes.
const (
	// maxEntries, maxOfNamespace and maxOfAccount are how many entries there are, and how many sidecars of one namespace and of one service account
	// add. Further destinations and clients of an account share an entry for each reason.
	maxEntries, maxOfNamespace, maxOfAccount = 10_000, 1_000, 64
)

// Reasons of a denial. Access logs have the first two in the key denied_by.
const (
	NoPolicy              = "no policy"
	ExternalAuthorization = "external authorization"
	// NoCertificate means that the client spoke plaintext, or TLS of its own, to a port of the mesh.
	NoCertificate = "no certificate of the mesh"
)

// Reporter is a sidecar that reports denials.
type Reporter struct {
	Account  identity.ServiceAccount
	Workload inventory.Workload
	// IPs are the addresses of the pod. Denials at them were denied by the sidecar as a server.
	IPs []netip.Addr
}

// Event is one denial.
type Event struct {
	// Address is the destination.
	Address netip.AddrPort
	// Client is who was denied at a server; zero if it proved no identity. Service is the Service that it called; zero if unknown.
	Client  identity.ServiceAccount
	Service entity.Name
	Reason  string
}

// Key identifies what is summed.
type Key struct {
	// Client is zero if it proved no identity. Workload is that of a client that was denied by its own sidecar.
	Client   identity.ServiceAccount
	Workload inventory.Workload
	// Server is the identity of the server that denied; zero for a denial at the client. Service is the Service that the client called, as the
	// server reports it.
	Server  identity.ServiceAccount
	Service entity.Name
	// Address is the destination of a denial at the client.
	Address netip.AddrPort
	Reason  string
	// Others is true for the sum of all keys beyond a limit: of destinations at the client, of clients at the server.
	Others bool
}

// AtServer reports whether the sidecar of the server denied.
func (k Key) AtServer() bool { return k.Server != (identity.ServiceAccount{}) }

// Denial is how often connections or requests with the same key were denied.
type Denial struct {
	Key
	// Latest is the destination of the latest denial.
	Latest netip.AddrPort
	Count  uint64
	// AtLeast is true if more were denied than the sidecar could report.
	AtLeast     bool
	Since, Last time.Time
	// Rate is the number of denials per second in the last minute.
	Rate float64
}

type entry struct {
	reporter    identity.ServiceAccount
	latest      netip.AddrPort
	count       uint64
	atLeast     bool
	since, last time.Time
	// recent has the counts of intervals, by their number modulo the length; newest is the number of the newest one.
	recent [intervals]uint64
	newest int64
}

// Store stores denials. It is safe for concurrent use.
type Store struct {
	now   func() time.Time
	began time.Time

	mu      sync.Mutex
	entries map[Key]*entry
	// namespaces and accounts count the entries that sidecars of a namespace and of a service account added.
	namespaces map[string]int
	accounts   map[identity.ServiceAccount]int
	dropped    uint64
	// swept is when expired entries were removed last.
	swept time.Time
	// streams counts the open streams, in total and by instance.
	streams   int
	instances map[entity.InstanceID]int
}

// NewStore returns an empty Store.
func NewStore(now func() time.Time) *Store {
	return &Store{
		now: now, began: now(), entries: map[Key]*entry{}, namespaces: map[string]int{}, accounts: map[identity.ServiceAccount]int{},
		instances: map[entity.InstanceID]int{},
	}
}

// Began is when the Store began to record.
func (s *Store) Began() time.Time { return s.began }

// Record adds what a sidecar denied. AtLeast is true if the sidecar had to wait, so it may have omitted some.
func (s *Store) Record(r Reporter, events []Event, atLeast bool) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, event := range events {
		e := s.entryFor(r, event, now)
		if e == nil {
			s.dropped++
			continue
		}
		e.add(event.Address, now)
		e.atLeast = e.atLeast || atLeast
	}
}

// Drop counts denials that were not even read.
func (s *Store) Drop(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped += uint64(max(n, 0))
}

// entryFor returns the entry of an event, or that of all others of its account, or nil without room. The caller holds mu.
func (s *Store) entryFor(r Reporter, event Event, now time.Time) *entry {
	key := keyOf(r, event)
	if e := s.entries[key]; e != nil {
		return e
	}
	if s.accounts[r.Account] >= maxOfAccount {
		key = key.others()
		if e := s.entries[key]; e != nil {
			return e
		}
	}
	if !s.hasRoom(r.Account, now) {
		return nil
	}
	e := &entry{reporter: r.Account, since: now, newest: now.UnixNano() / int64(interval)}
	s.entries[key] = e
	s.namespaces[r.Account.Namespace]++
	s.accounts[r.Account]++
	return e
}

// hasRoom makes room by removing what has expired, at most once in an interval: a flood must not search all entries each time.
func (s *Store) hasRoom(account identity.ServiceAccount, now time.Time) bool {
	full := func() bool { return len(s.entries) >= maxEntries || s.namespaces[account.Namespace] >= maxOfNamespace }
	if full() && now.Sub(s.swept) >= interval {
		s.removeExpired(now)
	}
	return !full()
}

func keyOf(r Reporter, event Event) Key {
	if slices.Contains(r.IPs, event.Address.Addr()) {
		return Key{Client: event.Client, Server: r.Account, Service: event.Service, Reason: event.Reason}
	}
	return Key{Client: r.Account, Workload: r.Workload, Address: event.Address, Reason: event.Reason}
}

func (k Key) others() Key {
	if k.AtServer() {
		return Key{Server: k.Server, Reason: k.Reason, Others: true}
	}
	return Key{Client: k.Client, Workload: k.Workload, Reason: k.Reason, Others: true}
}

func (e *entry) add(address netip.AddrPort, now time.Time) {
	e.advance(now)
	e.recent[e.newest%int64(intervals)]++
	e.count++
	e.last, e.latest = now, address
}

// advance clears the intervals without denials up to now.
func (e *entry) advance(now time.Time) {
	number := now.UnixNano() / int64(interval)
	for i := e.newest + 1; i <= number && i <= e.newest+int64(intervals); i++ {
		e.recent[i%int64(intervals)] = 0
	}
	e.newest = max(e.newest, number)
}

// rate is over the last minute, or since the first denial.
func (e *entry) rate(now time.Time) float64 {
	e.advance(now)
	var sum uint64
	for _, count := range e.recent {
		sum += count
	}
	over := min(max(now.Sub(e.since), interval), Window)
	return float64(sum) / over.Seconds()
}

// removeExpired removes entries that are old. The caller holds mu.
func (s *Store) removeExpired(now time.Time) {
	s.swept = now
	for key, e := range s.entries {
		if now.Sub(e.last) < Expiry {
			continue
		}
		delete(s.entries, key)
		decrement(s.namespaces, e.reporter.Namespace)
		decrement(s.accounts, e.reporter)
	}
}

func decrement[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}
