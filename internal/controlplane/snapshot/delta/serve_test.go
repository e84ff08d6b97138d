package delta

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	rpc "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// lockedSnapshot is a fakeSnapshot that counts its readers.
type lockedSnapshot struct {
	*fakeSnapshot
	readers atomic.Int32
	read    atomic.Bool
	// onLock is called by RLock; nil for nothing.
	onLock func()
}

func (s *lockedSnapshot) RLock() {
	s.readers.Add(1)
	s.read.Store(true)
	if s.onLock != nil {
		s.onLock()
	}
}

func (s *lockedSnapshot) RUnlock() { s.readers.Add(-1) }

// serving is a Session in a bubble of synctest. It is also the owner of the stream.
type serving struct {
	stream   Stream
	snapshot *lockedSnapshot
	// texts puts resources into the snapshot.
	texts    *conversation
	requests chan *discovery.DeltaDiscoveryRequest
	ended    chan error
	options  Options
	expiry   time.Duration
	send     SendFunc
	cancel   context.CancelFunc

	// mu guards sent: a timer of the session is not ordered after the reads of a test.
	mu       sync.Mutex
	sent     []*Response
	rejected []quarantine.RejectedResource
	complete []bool
	aborts   int
	log      []string
	metrics  *Metrics
}

func (s *serving) HandleNACK(r quarantine.RejectedResource) { s.rejected = append(s.rejected, r) }

func (s *serving) HandleComplete(earlier bool) { s.complete = append(s.complete, earlier) }

func (s *serving) Abort() { s.aborts++ }

func newServing(t *testing.T) *serving {
	s := &serving{texts: newConversation(t), requests: make(chan *discovery.DeltaDiscoveryRequest), ended: make(chan error, 1), expiry: 24 * time.Hour}
	s.snapshot = &lockedSnapshot{fakeSnapshot: s.texts.snapshot}
	s.metrics = NewMetrics(prometheus.NewRegistry())
	s.send = func(r *Response) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sent = append(s.sent, r)
		return nil
	}
	log := funcr.New(func(_, line string) { s.log = append(s.log, line) }, funcr.Options{})
	s.stream.Init(&Config{Now: time.Now, Log: log, Metrics: s.metrics}, s, entity.Name{Namespace: "shop", Name: "cart"}, s.snapshot)
	return s
}

// begin serves the stream.
func (s *serving) begin(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s.cancel = cancel
	session := s.stream.NewSession(s.options)
	go func() { s.ended <- session.Serve(ctx, time.Now().Add(s.expiry), s.client(ctx)) }()
	synctest.Wait()
}

// client returns the client whose requests are those of s.
func (s *serving) client(ctx context.Context) Client {
	receive, end := fakexds.Requests(ctx, s.requests)
	return Client{Receive: receive, Send: s.send, End: end}
}

// stop ends a stream that goes on.
func (s *serving) stop() {
	s.cancel()
	<-s.ended
}

// request sends a request, and waits for what follows.
func (s *serving) request(req *discovery.DeltaDiscoveryRequest) {
	s.requests <- req
	synctest.Wait()
}

func (s *serving) subscribe(t resourcetype.Type, names ...string) {
	s.request(&discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), ResourceNamesSubscribe: names})
}

// last returns the last response.
func (s *serving) last() *Response {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent[len(s.sent)-1]
}

// answer accepts the last response, or rejects it with a message.
func (s *serving) answer(message string) {
	last := s.last()
	req := &discovery.DeltaDiscoveryRequest{TypeUrl: last.Type.URL(), ResponseNonce: last.Nonce}
	if message != "" {
		req.ErrorDetail = &rpc.Status{Message: message}
	}
	s.request(req)
}

// change puts a resource into the snapshot and notifies the stream.
func (s *serving) change(t resourcetype.Type, name, text string) {
	s.texts.put(t, name, text)
	changes := &Changes{}
	changes[t] = []string{name}
	s.stream.Notify(changes, time.Now(), nil)
	synctest.Wait()
}

// expectEnd checks how the stream has ended; nil is the end of requests.
func (s *serving) expectEnd(t *testing.T, name string, want error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-s.ended:
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: ended with %v, want %v", name, err, want)
		}
	default:
		t.Errorf("%s: the stream goes on, want %v", name, want)
		s.stop()
	}
	if got := s.snapshot.readers.Load(); got != 0 || !s.snapshot.read.Load() {
		t.Errorf("%s: %d readers hold the snapshot, and it was read: %t", name, got, s.snapshot.read.Load())
	}
}

// expectRunning checks that the stream has not ended.
func (s *serving) expectRunning(t *testing.T, name string) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-s.ended:
		t.Fatalf("%s: ended with %v, want a stream that goes on", name, err)
	default:
	}
}

// TestStreamEnds ends a stream in each way.
func TestStreamEnds(t *testing.T) {
	broken, cause := errors.New("broken pipe"), errors.New("pod is gone")
	for name, test := range map[string]struct {
		prepare func(*serving)
		end     func(*serving)
		want    error
	}{
		"the client leaves":            {nil, func(s *serving) { close(s.requests) }, io.EOF},
		"the server stops":             {nil, func(s *serving) { s.cancel() }, context.Canceled},
		"the pod is gone":              {nil, func(s *serving) { s.stream.End(cause) }, cause},
		"ended twice":                  {nil, func(s *serving) { s.stream.End(cause); s.stream.End(broken) }, cause},
		"the token expires":            {func(s *serving) { s.expiry = time.Hour }, func(*serving) { time.Sleep(time.Hour) }, ErrExpired},
		"a write fails":                {func(s *serving) { s.send = func(*Response) error { return broken } }, func(s *serving) { s.subscribe(resourcetype.Clusters) }, broken},
		"a request is malformed":       {nil, func(s *serving) { s.request(&discovery.DeltaDiscoveryRequest{TypeUrl: "other"}) }, errInvalid},
		"ended while a write succeeds": {func(s *serving) { s.send = func(*Response) error { s.stream.End(cause); return nil } }, func(s *serving) { s.subscribe(resourcetype.Clusters) }, cause},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServing(t)
			if test.prepare != nil {
				test.prepare(s)
			}
			s.begin(t)
			s.expectRunning(t, name)
			test.end(s)
			if invalid := new(InvalidRequestError); errors.Is(test.want, errInvalid) {
				synctest.Wait()
				if err := <-s.ended; !errors.As(err, &invalid) {
					t.Errorf("%s: ended with %v, want an InvalidRequestError", name, err)
				}
				if got := testutil.CollectAndCount(s.metrics.requests); got != 0 {
					t.Errorf("%s: requests of %d types are counted, want none", name, got)
				}
				return
			}
			s.expectEnd(t, name, test.want)
		})
	}
}

// errInvalid stands for an InvalidRequestError.
var errInvalid = errors.New("invalid")

// TestTokenIsExtended lets a token expire, which is extended twice.
func TestTokenIsExtended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, extended := newServing(t), 0
		began := time.Now()
		s.expiry = time.Minute
		s.options.Extend = func(context.Context) time.Time {
			switch extended++; extended {
			case 1:
				return time.Now().Add(time.Hour)
			case 2:
				return time.Now() // at once, and yet a second later
			}
			return time.Time{}
		}
		s.begin(t)
		time.Sleep(time.Hour)
		s.expectRunning(t, "extended by an hour")
		time.Sleep(time.Minute + 500*time.Millisecond)
		s.expectRunning(t, "extended by nothing")
		time.Sleep(500 * time.Millisecond)
		s.expectEnd(t, "not extended", ErrExpired)
		if extended != 3 || time.Since(began) != time.Hour+time.Minute+time.Second {
			t.Errorf("the token was extended %d times in %s, want 3 times in 1h1m1s", extended, time.Since(began))
		}
	})
}

// TestBlockedWriteIsAborted ends a stream while its client does not read.
func TestBlockedWriteIsAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, aborted := newServing(t), make(chan struct{})
		s.send = func(*Response) error { <-aborted; return errors.New("aborted") }
		s.begin(t)
		if s.stream.IsBlockedSince(time.Now().Add(time.Hour)) {
			t.Error("a stream that writes nothing is blocked")
		}
		s.subscribe(resourcetype.Clusters)
		began := time.Now()
		time.Sleep(time.Second)
		for _, c := range []struct {
			since time.Time
			want  bool
		}{{began.Add(-time.Second), false}, {began, false}, {began.Add(time.Nanosecond), true}} {
			if got := s.stream.IsBlockedSince(c.since); got != c.want {
				t.Errorf("blocked since %s after the begin of the write: %t, want %t", c.since.Sub(began), got, c.want)
			}
		}
		cause := errors.New("the sidecar does not read")
		s.stream.End(cause)
		if s.aborts != 1 || !errors.Is(s.stream.Cause(), cause) {
			t.Errorf("aborted %d times, cause %v; want once, and %v", s.aborts, s.stream.Cause(), cause)
		}
		close(aborted)
		s.expectEnd(t, "aborted", cause)
		if s.stream.IsBlockedSince(time.Now().Add(time.Hour)) {
			t.Error("a write that has ended is blocked")
		}
	})
}

// TestIdleStreamIsNotAborted ends a stream that writes nothing.
func TestIdleStreamIsNotAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t)
		s.begin(t)
		s.stream.End(errors.New("gone"))
		if s.aborts != 0 {
			t.Error("a connection without a write is cut")
		}
		<-s.ended
	})
}

// TestUnansweredClient checks when a client that does not answer is disconnected, and that the wait of other things does not end it.
func TestUnansweredClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t)
		s.begin(t)
		s.subscribe(resourcetype.Clusters)
		time.Sleep(maxAnswerDelay - time.Millisecond)
		s.expectRunning(t, "before the limit")
		time.Sleep(2 * time.Millisecond)
		s.expectEnd(t, "at the limit", ErrUnanswered)
	})
}

// TestWaitsEndWithoutInput sends a listener that waits for clusters once the wait has ended, though nothing else happens.
func TestWaitsEndWithoutInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t)
		s.begin(t)
		s.subscribe(resourcetype.Clusters)
		s.answer("")
		s.subscribe(resourcetype.Listeners)
		s.answer("")
		s.change(resourcetype.Clusters, "c", "1")
		s.texts.put(resourcetype.Listeners, "l", "1")
		s.stream.Notify(&Changes{resourcetype.Listeners: {"l"}}, time.Now(), nil)
		synctest.Wait()
		if last := s.last(); last.Type != resourcetype.Clusters {
			t.Fatalf("last sent was %v, want the cluster, for which the listener waits", last)
		}
		time.Sleep(ackTimeout + time.Second)
		if last := s.last(); last.Type != resourcetype.Listeners || len(last.Resources) != 1 {
			t.Errorf("after %s, last sent was %v, want the listener", ackTimeout, last)
		}
		s.stop()
	})
}

// TestResponsesThatAreNotSent skips a response that a protocol cannot express: its absence needs no answer, and is no error.
func TestResponsesThatAreNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t)
		skip := true
		s.send = func(r *Response) error {
			if skip {
				return ErrNotSent
			}
			s.sent = append(s.sent, r)
			return nil
		}
		s.begin(t)
		s.subscribe(resourcetype.Clusters)
		s.expectRunning(t, "not sent")
		skip = false
		s.change(resourcetype.Clusters, "c", "1")
		if len(s.sent) != 1 || testutil.ToFloat64(s.metrics.sent.WithLabelValues("CDS")) != 1 || testutil.ToFloat64(s.metrics.sendErrors.WithLabelValues("CDS")) != 0 {
			t.Errorf("sent %v; counted are %v, and %v errors; want the next response alone", s.sent,
				testutil.ToFloat64(s.metrics.sent.WithLabelValues("CDS")), testutil.ToFloat64(s.metrics.sendErrors.WithLabelValues("CDS")))
		}
		s.stop()
	})
}
