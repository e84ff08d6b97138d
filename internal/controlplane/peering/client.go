package peering

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"golang.org/x/time/rate"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/printable"
)

// typeURL is the type of the resources, which contain signed records.
const typeURL = "type.googleapis.com/google.protobuf.BytesValue"

const (
	// responseInterval is the minimum time between two responses that are read, after a burst of responseBurst.
	responseInterval = 500 * time.Millisecond
	responseBurst    = 2
	// pingInterval and pingTimeout detect that a peer, or the way to it, is dead. gRPC allows no shorter interval.
	pingInterval = 10 * time.Second
	pingTimeout  = 3 * time.Second
	// receiveWindow is how much of a stream a peer may send before it is read.
	receiveWindow = 64 << 10
	maxHeaders    = 16 << 10
)

// client has the stream to one peer.
type client struct {
	config  Config
	peers   *registry
	metrics *metrics
	// changed is signaled after the peer's declaration changed, and dirty after something is to be saved.
	changed, dirty chan struct{}
	// pace limits the responses that are read, over all streams.
	pace *rate.Limiter

	// mu guards the following fields.
	mu        sync.Mutex
	importer  *importer
	connected bool
	last      time.Time
	stale     time.Time
	problem   error
	// followed are the roots that Apply has received for the peer; nil if they are the declared ones.
	followed []byte
	// end ends the present stream; nil without one.
	end context.CancelFunc
}

func newClient(config Config, peers *registry, metrics *metrics, peer Peer) *client {
	audiences := func() []string { return config.Domains().Known }
	return &client{
		config: config, peers: peers, metrics: metrics, importer: newImporter(peer, peers, audiences, config.Now), stale: config.Now(),
		changed: make(chan struct{}, 1), dirty: make(chan struct{}, 1), pace: rate.NewLimiter(rate.Every(responseInterval), responseBurst),
	}
}

// declaration returns the declaration of the peer.
func (c *client) declaration() Peer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.importer.peer
}

// setPeer replaces the declaration of the peer, and connects again.
func (c *client) setPeer(peer Peer) {
	c.mu.Lock()
	c.apply(c.importer.setPeer(peer))
	c.applyTrust()
	if c.end != nil {
		c.end()
	}
	c.mu.Unlock()
	signal(c.changed)
}

// apply passes changes on. The caller holds mu, so that they arrive in order.
func (c *client) apply(changes []catalog.Change) {
	if len(changes) > 0 {
		c.config.Apply(changes)
	}
}

// storageTimeout is how long a control plane waits for the stored state of a peer, and for its removal.
const storageTimeout = 5 * time.Second

// load holds what the storage has. A storage that cannot be read is like an empty one.
func (c *client) load(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	name := c.importer.peer.Name
	data, err := c.config.Storage.Load(ctx, name)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		var changes []catalog.Change
		changes, err = c.importer.load(data)
		c.apply(changes)
		c.applyTrust()
		c.metrics.services.WithLabelValues(name).Set(float64(c.importer.services()))
	}
	if err != nil {
		c.config.Log.Error(err, "the stored state of a peer is incomplete", "peer", name)
	}
}

// applyTrust passes on which roots are trusted, if they have changed: the peer has changed its own, or has not declared them for too long. The caller holds mu.
func (c *client) applyTrust() {
	peer := c.importer.peer
	trusted, known := c.peers.trusted(peer.Name)
	followed := trusted.RootsPEM
	if !known || trusted.Until.IsZero() {
		followed = nil
		c.metrics.undeclared.DeleteLabelValues(peer.Name)
	} else {
		c.metrics.undeclared.WithLabelValues(peer.Name).Set(float64(trusted.Until.Unix()))
	}
	if bytes.Equal(followed, c.followed) {
		return
	}
	entry := &catalog.PeerTrust{Peer: peer.Name, RootsPEM: followed}
	change := catalog.Set(entry)
	if c.followed = followed; followed == nil {
		change = catalog.Change{Ref: entry.Ref()}
	}
	c.apply([]catalog.Change{change})
}

// checkTrust passes on that roots are not trusted any more.
func (c *client) checkTrust() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.applyTrust()
}

// saveChanges saves what the peer has said, at most once in each interval, and at the end, until ctx ends.
func (c *client) saveChanges(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-c.dirty:
			c.save(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(c.config.timing.save):
			}
		}
	}
	select {
	case <-c.dirty:
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSaveTimeout)
		defer cancel()
		c.save(ending)
	default:
	}
}

// lastSaveTimeout is how long a process that stops waits for the storage.
const lastSaveTimeout = 2 * time.Second

// save saves what the peer has said. If that fails, it is repeated after the interval.
func (c *client) save(ctx context.Context) {
	c.mu.Lock()
	name := c.importer.peer.Name
	data, err := c.importer.save()
	c.mu.Unlock()
	if err == nil {
		err = c.config.Storage.Save(ctx, name, data)
	}
	if err != nil {
		signal(c.dirty)
	}
	if err != nil && !errors.Is(err, ErrOtherReplica) {
		c.config.log.info("What a peer has said cannot be stored", "peer", name, "reason", err.Error())
	}
}

// run keeps a stream to the peer until ctx ends.
func (c *client) run(ctx context.Context) {
	var saving sync.WaitGroup
	saving.Go(func() { c.saveChanges(ctx) })
	defer saving.Wait()
	backoff := c.config.timing.firstBackoff
	for ctx.Err() == nil {
		answered, err := c.connect(ctx)
		if answered {
			backoff = c.config.timing.firstBackoff
		}
		if reasonOf(err) != ReasonUnreachable {
			backoff = c.config.timing.maxBackoff // the peer would only do the same again
		}
		select {
		case <-ctx.Done():
		case <-c.changed:
			backoff = c.config.timing.firstBackoff
		case <-time.After(time.Duration(float64(backoff) * (0.5 + c.config.Jitter()))):
			backoff = min(2*backoff, c.config.timing.maxBackoff)
		}
	}
}

// remove withdraws everything that the peer has said, and its stored state.
func (c *client) remove(ctx context.Context) {
	c.mu.Lock()
	c.apply(c.importer.clear())
	name := c.importer.peer.Name
	if c.followed != nil {
		c.apply([]catalog.Change{{Ref: (&catalog.PeerTrust{Peer: name}).Ref()}})
	}
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	if err := c.config.Storage.Save(ctx, name, nil); err != nil && !errors.Is(err, ErrOtherReplica) {
		c.config.Log.Error(err, "the stored state of a removed peer remains", "peer", name)
	}
}

// connect serves one stream, and returns why it ended. answered is true if the peer has sent a response.
func (c *client) connect(ctx context.Context) (answered bool, err error) {
	streaming, cancel := context.WithCancel(ctx)
	defer cancel()
	c.mu.Lock()
	peer := c.importer.peer
	c.end = cancel
	c.mu.Unlock()
	err = c.stream(streaming, peer, cancel)
	c.mu.Lock()
	defer c.mu.Unlock()
	answered = c.connected
	if c.connected {
		c.connected, c.stale = false, c.config.Now()
	}
	c.end = nil
	c.problem = err
	c.metrics.connected.WithLabelValues(peer.Name).Set(0)
	return answered, err
}

// stream opens a stream and processes responses until it ends.
func (c *client) stream(ctx context.Context, peer Peer, cancel context.CancelFunc) error {
	tlsConfig, err := c.config.clientTLS(c.peers, peer)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient("passthrough:///"+c.config.Address, dialOptions(tlsConfig)...)
	if err != nil {
		return err
	}
	defer conn.Close()
	// The timer ends the stream while the peer has neither answered nor read the latest request.
	deadline := time.AfterFunc(c.config.timing.answer, cancel)
	defer deadline.Stop()
	responses, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		return describe(err)
	}
	c.mu.Lock()
	request := &discovery.DeltaDiscoveryRequest{TypeUrl: typeURL, ResourceNamesSubscribe: []string{"*"}, InitialResourceVersions: c.importer.versions()}
	c.mu.Unlock()
	for first := true; ; first = false {
		if err := responses.Send(request); err != nil {
			_, err = responses.Recv() // has the cause
			return describe(err)
		}
		if !first {
			deadline.Stop()
		}
		if err := c.pace.Wait(ctx); err != nil {
			return reject(ReasonNoAnswer, errors.New("the peer does not read requests"))
		}
		response, err := responses.Recv()
		if err != nil {
			return describe(err)
		}
		if request, err = c.receive(response); err != nil {
			return err
		}
		deadline.Reset(c.config.timing.answer)
	}
}

// receive processes a response, and returns the answer.
func (c *client) receive(response *discovery.DeltaDiscoveryResponse) (*discovery.DeltaDiscoveryRequest, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	result, err := c.importer.receive(response)
	if err != nil {
		return nil, err
	}
	name := c.importer.peer.Name
	c.apply(result.changes)
	c.applyTrust()
	c.connected, c.last, c.stale, c.problem = true, c.config.Now(), time.Time{}, nil
	c.metrics.connected.WithLabelValues(name).Set(1)
	c.metrics.services.WithLabelValues(name).Set(float64(c.importer.services()))
	c.metrics.invalid.WithLabelValues(name).Set(float64(len(c.importer.rejected)))
	c.metrics.received.WithLabelValues(name).Inc()
	signal(c.dirty)
	answer := &discovery.DeltaDiscoveryRequest{TypeUrl: typeURL, ResponseNonce: response.GetNonce()}
	if result.rejected != nil {
		c.metrics.rejected.WithLabelValues(name, string(reasonOf(result.rejected))).Inc()
		c.config.log.info("Rejected a record of a peer", "peer", name, "reason", result.rejected.Error())
		answer.ErrorDetail = &status.Status{Code: int32(codes.InvalidArgument), Message: describeBriefly(result.rejected)}
	}
	return answer, nil
}

// dialOptions returns the options of a connection. They limit the memory for what a peer sends.
func dialOptions(config *tls.Config) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(),
		grpc.WithStaticStreamWindowSize(receiveWindow), grpc.WithStaticConnWindowSize(receiveWindow), grpc.WithMaxHeaderListSize(maxHeaders),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessageBytes), grpc.ForceCodecV2(codec{})),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingInterval, Timeout: pingTimeout, PermitWithoutStream: true}),
	}
}

// describe returns the reason for the end of a stream.
func describe(err error) error {
	switch grpcstatus.Code(err) {
	case codes.ResourceExhausted:
		return reject(ReasonMessageTooLarge, fmt.Errorf("the peer ended the stream, or sent a message of more than %d bytes: %w", MaxMessageBytes, err))
	case codes.Canceled:
		return reject(ReasonNoAnswer, errors.New("the peer did not answer in time"))
	}
	return reject(ReasonUnreachable, fmt.Errorf("there is no stream to the peer: %w", err))
}

// state describes the peer.
func (c *client) state() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	trust := c.importer.trust()
	trusted, _ := c.peers.trusted(c.importer.peer.Name)
	fingerprints, _ := certificate.FullFingerprints([]byte(trust.Bundle)) // none before the first record
	return State{
		Peer: c.importer.peer.Name, Connected: c.connected, LastConnected: c.last, StaleSince: c.stale, Version: trust.Version,
		Compatible: peering.IsCompatible(c.config.Version, trust.Version), Services: c.importer.services(), Bytes: c.importer.bytes,
		Fingerprints: fingerprints, Acknowledged: c.acknowledged(trust), Trusted: trusted, Problems: problemsOf(c.importer.rejected, c.problem),
	}
}

// acknowledged returns the roots of this mesh that the peer trusts, as it reports now. What it reported before its stream ended says nothing: it may have been
// restored since, or have ended its trust. On a stream the first response shows that the record in force is the present one, unless it was rejected. The caller
// holds mu.
func (c *client) acknowledged(trust peering.Trust) []string {
	if _, rejected := c.importer.rejected[peering.TrustName]; rejected || !c.connected {
		return nil
	}
	own, err := certificate.FullFingerprints(c.config.Bundle())
	if err != nil {
		return nil
	}
	return lists.Unique(lists.Filter(own, func(root string) bool { return slices.Contains(trust.Accepted, root) }))
}

// offered returns the Services that the peer offers, sorted by name.
func (c *client) offered() []*catalog.PeerService {
	c.mu.Lock()
	defer c.mu.Unlock()
	services := make([]*catalog.PeerService, 0, len(c.importer.held))
	for _, held := range c.importer.held {
		if held.service != nil {
			services = append(services, held.service)
		}
	}
	slices.SortFunc(services, func(a, b *catalog.PeerService) int { return a.Name.Compare(b.Name) })
	return services
}

// maxDescription is the maximum length of a message that has parts of what a peer has sent.
const maxDescription = 512

// describeBriefly returns the message of an error that may have parts of what a peer has sent.
func describeBriefly(err error) string {
	text := printable.Line(err.Error())
	return strings.ToValidUTF8(text[:min(len(text), maxDescription)], "")
}

func signal(channel chan struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}
