package delta

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// Errors of Serve.
var (
	// ErrExpired means that the client's token has expired.
	ErrExpired = errors.New("the service account token has expired; connect again with a fresh one")
	// ErrNotSent is returned by a SendFunc for a response without resources that the client's protocol cannot express. Serve
	// continues without waiting for an answer.
	ErrNotSent = errors.New("the response was not sent")
)

// InvalidRequestError wraps the error of a request that is malformed or exceeds a limit. Envoy never sends one.
type InvalidRequestError struct{ error }

// Unwrap returns the cause.
func (e *InvalidRequestError) Unwrap() error { return e.error }

// SendFunc writes a response to the client.
type SendFunc func(*Response) error

// Options configures a Session.
type Options struct {
	// Undivided sends all changes of a type in one response of any size. A NACK is then not traced to a single resource.
	Undivided bool
	// ReadinessCluster is sent to a new client until it has accepted everything; nil for none.
	ReadinessCluster *resource.Content
	// DrainingCluster is sent to a client from which another Envoy has taken over; nil for none.
	DrainingCluster *resource.Content
	// Extend returns until when an expired token may be used, the zero time if it may not. nil extends nothing.
	Extend func(context.Context) time.Time
	// UseDestination receives each destination that the client asks for. With earlier, it may have done so on an earlier stream. It must not block. nil for
	// nobody.
	UseDestination func(name string, earlier bool)
}

// Client is the client of a Session.
type Client struct {
	// Receive returns the next request. One goroutine calls it.
	Receive func() (*discovery.DeltaDiscoveryRequest, error)
	// Send writes a response. Calls do not overlap.
	Send SendFunc
	// End makes Receive return an error soon. It is called at most once and must not block.
	End func(cause error)
}

// Session runs the state machine of a Stream. A stream that is idle needs one goroutine, which waits for requests: changes and the time run the state
// machine on goroutines of their own, which end when there is nothing to send.
type Session struct {
	stream *Stream
	extend func(context.Context) time.Time

	// turn has an element while a goroutine uses the following fields, also during a write. It is a channel because tests with a clock of their own wait
	// for those who wait for it.
	turn      chan struct{}
	sequencer sequencer
	client    Client
	expiry    time.Time
	timer     *time.Timer
	// ended is the cause of the end; nil before.
	ended error
}

// NewSession returns the Session of a stream. A stream has one.
func (s *Stream) NewSession(options Options) *Session {
	session := &Session{stream: s, extend: options.Extend, turn: make(chan struct{}, 1)}
	session.sequencer.undivided, session.sequencer.readinessCluster = options.Undivided, options.ReadinessCluster
	session.sequencer.drainingCluster = options.DrainingCluster
	d := &session.sequencer.destinations
	d.recorded = func(name string, origin origin, exists bool) {
		s.addDestination(name)
		if exists && origin != originReported && options.UseDestination != nil {
			options.UseDestination(name, origin == originResubscribed)
		}
	}
	d.released, d.forgotten = s.removeDestination, s.forgetDestination
	return session
}

// Serve processes requests until one of these ends the stream: Stream.End, the expiry of the client's token, a client that does not answer, or an
// error of the client, for example because ctx has ended.
func (s *Session) Serve(ctx context.Context, expiry time.Time, client Client) error {
	s.client, s.expiry = client, expiry
	run := func() { s.run(ctx) }
	s.timer = time.AfterFunc(time.Hour, s.stream.wakeUp)
	s.stream.beginRuns(&run)
	defer s.close()
	err := s.step(ctx, nil)
	for err == nil {
		var req *discovery.DeltaDiscoveryRequest
		if req, err = client.Receive(); err == nil {
			err = s.step(ctx, req)
		}
	}
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	return cmp.Or(s.ended, err)
}

// run does what is due without a request.
func (s *Session) run(ctx context.Context) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.stream.woken.Store(false)
	if s.ended == nil {
		if s.ended = s.advance(ctx, nil); s.ended != nil {
			s.client.End(s.ended)
		}
	}
}

// step handles a request, nil for none. The error is the cause of the end.
func (s *Session) step(ctx context.Context, req *discovery.DeltaDiscoveryRequest) error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if s.ended == nil {
		s.ended = s.advance(ctx, req)
	}
	return s.ended
}

// errClosed ends a session that does not serve any more.
var errClosed = errors.New("the session is closed")

// close waits for the end of a run. Later ones do nothing.
func (s *Session) close() {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.ended = cmp.Or(s.ended, errClosed)
	s.timer.Stop()
	s.stream.beginRuns(nil)
}

// advance handles a request, sends what may be sent, and sets the timer. It requires the turn.
func (s *Session) advance(ctx context.Context, req *discovery.DeltaDiscoveryRequest) error {
	select {
	case <-s.stream.ended:
		return s.stream.cause
	default:
	}
	if req != nil {
		if err := s.Handle(req); err != nil {
			return err
		}
	}
	if err := s.checkExpiry(ctx); err != nil {
		return err
	}
	deadline, err := s.Flush(s.client.Send)
	if err != nil {
		return err
	}
	now := s.stream.config.Now()
	answerDue := s.sequencer.answerDue()
	if !answerDue.IsZero() && !now.Before(answerDue) {
		return ErrUnanswered
	}
	deadline = earlier(earlier(deadline, answerDue), s.expiry)
	s.timer.Reset(max(deadline.Sub(now), time.Millisecond))
	return nil
}

// checkExpiry extends an expired token.
func (s *Session) checkExpiry(ctx context.Context) error {
	now := s.stream.config.Now()
	if now.Before(s.expiry) {
		return nil
	}
	if s.extend == nil {
		return ErrExpired
	}
	until := s.extend(ctx)
	if until.IsZero() {
		return ErrExpired
	}
	s.expiry = now.Add(max(until.Sub(now), minExtension))
	return nil
}

// minExtension is the minimum time between two extensions of an expired token.
const minExtension = time.Second

// Flush sends everything that may be sent now. It returns when there may be more without further input; zero if never.
func (s *Session) Flush(send SendFunc) (time.Time, error) {
	for {
		var r *Response
		var deadline time.Time
		s.withSnapshot(func(snapshot Snapshot, now time.Time) {
			if r = s.sequencer.next(snapshot, now); r == nil {
				deadline = s.sequencer.deadline()
			}
		})
		if r == nil {
			s.stream.recordProgress(&s.sequencer)
			return deadline, nil
		}
		err := s.write(r, send)
		if errors.Is(err, ErrNotSent) {
			s.sequencer.cancelInFlight(r.Type)
			continue
		}
		s.stream.config.Metrics.countResponse(r, err)
		if err != nil {
			return time.Time{}, err
		}
		s.stream.acks.RecordSent(r.Type, r.certificateVersion())
		s.stream.recordSent()
	}
}

// write sends a response unless the stream has ended. End and write each set their own flag before they read the other's, so at
// least one of them notices.
func (s *Session) write(r *Response, send SendFunc) error {
	stream := s.stream
	stream.writeStarted.Store(stream.config.Now().UnixNano())
	defer stream.writeStarted.Store(0)
	select {
	case <-stream.ended:
		return stream.cause
	default:
	}
	err := send(r)
	select {
	case <-stream.ended:
		return stream.cause
	default:
		return err
	}
}

// Handle processes a request. The error is an *InvalidRequestError.
func (s *Session) Handle(req *discovery.DeltaDiscoveryRequest) error {
	stream := s.stream
	var result requestResult
	var err error
	s.withSnapshot(func(snapshot Snapshot, now time.Time) {
		result, err = s.sequencer.handleRequest(req, snapshot, now)
		if err == nil {
			stream.config.Metrics.countRequest(result, countOtherCertificates(req))
			stream.config.Metrics.countDestinations(s.sequencer.destinations.takeCounts())
		}
	})
	if err != nil {
		return &InvalidRequestError{err}
	}
	if result.Type == resourcetype.Secrets {
		stream.acks.RecordInitialCertificate(s.sequencer.reportedCertificate)
		stream.acks.SetUsesCertificates(s.sequencer.types[resourcetype.Secrets].versions.len() > 0)
	}
	if !result.IsAnswer {
		return nil
	}
	stream.acks.RecordAnswer(status.Answer{Type: result.Type, Message: result.Message, Rejection: result.Rejection}, stream.config.Now())
	if result.Message != "" {
		stream.recordRejected()
		stream.config.Log.Info("A sidecar rejected its configuration",
			"pod", stream.pod.String(), "type", result.Type.String(), "message", result.Message)
	}
	if result.Rejected != nil {
		stream.owner.HandleNACK(*result.Rejected)
	}
	return nil
}

// SentVersions returns the versions that the client was last sent, including names that it only subscribes to.
func (s *Session) SentVersions(t resourcetype.Type) map[string]resource.Version {
	return maps.Collect(s.sequencer.types[t].versions.all())
}

// withSnapshot calls f while the snapshot does not change and after its changes were taken: a state machine that sees a new
// listener has also been notified of the listener's cluster.
func (s *Session) withSnapshot(f func(Snapshot, time.Time)) {
	stream := s.stream
	now := stream.config.Now()
	for {
		stream.mu.Lock()
		snapshot := stream.snapshot
		stream.mu.Unlock()
		snapshot.RLock()
		if stream.takePending(&s.sequencer, snapshot) {
			f(snapshot, now)
			snapshot.RUnlock()
			return
		}
		snapshot.RUnlock()
	}
}

// countOtherCertificates counts subscriptions to certificates of workloads by the names that they have in OSM. A sidecar of this mesh
// sends none, because its own certificate has the same name in all sidecars.
func countOtherCertificates(req *discovery.DeltaDiscoveryRequest) int {
	if req.GetTypeUrl() != resourcetype.Secrets.URL() {
		return 0
	}
	count := 0
	for _, name := range req.GetResourceNamesSubscribe() {
		if strings.HasPrefix(name, envoy.ServiceCertName+":") {
			count++
		}
	}
	return count
}
