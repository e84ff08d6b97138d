package peering

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/platform/connlimit"
)

const (
	// maxResponseBytes is how much the records of a response have, so that the message stays below MaxMessageBytes.
	maxResponseBytes = MaxMessageBytes - maxRecordBytes
	// requestInterval is the minimum time between two requests that are read, after a burst of requestBurst.
	requestInterval = 200 * time.Millisecond
	requestBurst    = 5
	// maxInitialVersions is how many records a client may have from an earlier stream.
	maxInitialVersions = maxRemoved
)

// session is the stream of a peer. It keeps the versions that the client has, and sends the difference to the present records, one response at a time.
type session struct {
	peer      Peer
	to        audience
	chain     []*x509.Certificate
	conn      *connlimit.Conn
	stream    discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer
	publisher *publisher
	// ackTimeout is how long the client may take for its first request, and to answer a response.
	ackTimeout time.Duration
	// wake is signaled when something for the peer may have changed.
	wake chan struct{}

	// Only the goroutine of serve uses the following fields.

	// has are the versions that the client has, or that are on their way.
	has map[string]peering.Version
	// inFlight is the nonce of the response without an answer; empty without one.
	inFlight string
	nonce    int
	// greeted is true after the first response, which is sent even if it is empty: it shows the client that it has everything.
	greeted bool
}

// serve processes the stream until it ends. The error is why.
func (s *session) serve(ctx context.Context) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	requests := make(chan *discovery.DeltaDiscoveryRequest)
	failed := make(chan error, 1)
	go func() { failed <- s.read(reading, requests) }()
	// The timer ends a connection whose client does not read or answer. A write can block, so it closes the connection.
	deadline := time.AfterFunc(s.ackTimeout, func() { _ = s.conn.Close() })
	defer deadline.Stop()
	for {
		select {
		case err := <-failed:
			return err
		case request := <-requests:
			if err := s.handle(request); err != nil {
				return err
			}
		case <-s.wake:
		}
		if err := s.flush(deadline); err != nil {
			return err
		}
	}
}

// read reads requests at a limited rate.
func (s *session) read(ctx context.Context, requests chan<- *discovery.DeltaDiscoveryRequest) error {
	pace := rate.NewLimiter(rate.Every(requestInterval), requestBurst)
	for {
		if err := pace.Wait(ctx); err != nil {
			return reject(ReasonUnreachable, err)
		}
		request, err := s.stream.Recv()
		if err != nil {
			return reject(ReasonUnreachable, err)
		}
		select {
		case requests <- request:
		case <-ctx.Done():
			return reject(ReasonUnreachable, ctx.Err())
		}
	}
}

// handle processes a request: the first one, or an answer.
func (s *session) handle(request *discovery.DeltaDiscoveryRequest) error {
	switch {
	case request.GetTypeUrl() != typeURL || len(request.GetResponseNonce()) > maxVersionBytes:
		return reject(ReasonProtocol, errors.New("a request has an unknown type"))
	case s.has == nil:
		return s.begin(request)
	case s.inFlight != "" && request.GetResponseNonce() == s.inFlight:
		s.inFlight = "" // a rejection is an answer too: the client keeps what it has
	}
	return nil
}

// begin processes the first request.
func (s *session) begin(request *discovery.DeltaDiscoveryRequest) error {
	if len(request.GetInitialResourceVersions()) > maxInitialVersions {
		return reject(ReasonProtocol, errors.New("the first request has too many versions"))
	}
	s.has = map[string]peering.Version{}
	for name, text := range request.GetInitialResourceVersions() {
		if len(name) > peering.MaxNameBytes || len(text) > maxVersionBytes {
			return reject(ReasonProtocol, errors.New("a name or a version is too long"))
		}
		s.has[name], _ = peering.ParseVersion(text) // another form differs from all present versions
	}
	return nil
}

// flush sends what has changed, unless the client has not answered the last response. It sets or stops the timer for the answer.
func (s *session) flush(deadline *time.Timer) error {
	if s.has == nil || s.inFlight != "" {
		return nil
	}
	response, err := s.next()
	if errors.Is(err, errNotReady) {
		return reject(ReasonUnreachable, err)
	}
	if err != nil {
		return err
	}
	if response == nil {
		deadline.Stop()
		return nil
	}
	s.nonce++
	response.Nonce = strconv.Itoa(s.nonce)
	s.inFlight, s.greeted = response.Nonce, true
	deadline.Reset(s.ackTimeout)
	if err := s.stream.Send(response); err != nil {
		return reject(ReasonUnreachable, fmt.Errorf("a response was not sent: %w", err))
	}
	return nil
}

// next returns the difference between the present records and those of the client, or its first part; nil without any.
func (s *session) next() (*discovery.DeltaDiscoveryResponse, error) {
	digests, err := s.publisher.digests(s.to, s.peer.TrustDomain)
	if err != nil {
		return nil, err
	}
	response := &discovery.DeltaDiscoveryResponse{TypeUrl: typeURL}
	for _, name := range slices.Sorted(maps.Keys(s.has)) {
		if _, exists := digests[name]; !exists {
			response.RemovedResources = append(response.RemovedResources, name)
			delete(s.has, name)
		}
	}
	if err := s.addChanged(response, digests); err != nil {
		return nil, err
	}
	if s.greeted && len(response.GetResources())+len(response.GetRemovedResources()) == 0 {
		return nil, nil //nolint:nilnil // there is no difference
	}
	return response, nil
}

// addChanged adds records that differ, until the response is full.
func (s *session) addChanged(response *discovery.DeltaDiscoveryResponse, digests map[string]string) error {
	size := 0
	for _, name := range slices.SortedFunc(maps.Keys(digests), compareTrustFirst) {
		if s.has[name].Digest == digests[name] {
			continue
		}
		version, signed, err := s.publisher.signed(s.to, name, s.has[name].Generation)
		if err != nil {
			return err
		}
		if signed == "" {
			continue // removed meanwhile: the next response will say so
		}
		content, err := anypb.New(wrapperspb.Bytes([]byte(signed)))
		if err != nil {
			return err
		}
		if size += len(signed); size > maxResponseBytes || len(response.Resources) == maxResources {
			signal(s.wake)
			return nil
		}
		response.Resources = append(response.Resources, &discovery.Resource{Name: name, Version: version.String(), Resource: content})
		s.has[name] = version
	}
	return nil
}
