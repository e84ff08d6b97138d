package fleet

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// window is the HTTP/2 window of a connection in bytes. Like Envoy's, it is larger than any configuration.
const window = 16 << 20

// maxResponse is the maximum size of a response in bytes. Envoy accepts 4 MiB; the stock cache sends more in large meshes, and
// must still be measured.
const maxResponse = 64 << 20

// Fleet holds the sidecars of a mesh.
type Fleet struct {
	// Addresses makes each sidecar connect from a loopback address of its own, as pods do.
	Addresses bool

	known    *known
	sidecars []*sidecar

	requests, bytes, responses, last atomic.Int64
	// opened is the number of sidecars that have sent their first requests.
	opened atomic.Int64

	stop   context.CancelFunc
	ended  sync.WaitGroup
	mu     sync.Mutex
	failed error
}

// New returns the sidecars of a mesh, with a token for each.
func New(m *mesh.Mesh, tokens []string) *Fleet {
	f := &Fleet{known: newKnown()}
	for i, token := range tokens {
		f.sidecars = append(f.sidecars, newSidecar(f, m.NodeID(i), token))
	}
	return f
}

// Forget replaces all sidecars by new ones without resources.
func (f *Fleet) Forget() {
	for i, s := range f.sidecars {
		f.sidecars[i] = newSidecar(f, s.id, s.token)
	}
}

// Connect connects all sidecars concurrently. They stay connected until Disconnect.
func (f *Fleet) Connect(address string, config *tls.Config) {
	f.requests.Store(0)
	f.bytes.Store(0)
	f.responses.Store(0)
	f.opened.Store(0)
	f.failed = nil
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	for i, s := range f.sidecars {
		f.ended.Go(func() {
			if err := s.run(ctx, address, config, f.dialer(i)); err != nil && ctx.Err() == nil {
				f.fail(fmt.Errorf("%s: %w", s.id, err))
			}
		})
	}
}

// dialer returns the dialer of a sidecar.
func (f *Fleet) dialer(sidecar int) *net.Dialer {
	if !f.Addresses {
		return &net.Dialer{}
	}
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: LoopbackAddress(1, sidecar)}}
}

// LoopbackAddress returns an address of a client on the loopback interface. Those of different networks are different; sidecars have network 1.
func LoopbackAddress(network byte, client int) net.IP {
	const perByte = 250
	return net.IPv4(127, network, byte(client/perByte), byte(client%perByte+1))
}

// Disconnect closes all connections.
func (f *Fleet) Disconnect() {
	f.stop()
	f.ended.Wait()
}

func (f *Fleet) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		f.failed = err
	}
}

// Err returns the error of a failed connection, or nil.
func (f *Fleet) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// Traffic counts the requests and responses of all sidecars since Connect.
type Traffic struct {
	// Requests and Responses are numbers of messages. Bytes is the size of the responses without framing and encryption.
	Requests, Responses, Bytes int64
	// Last is the time of the last response, in nanoseconds since 1970.
	Last int64
}

// Traffic returns the traffic so far.
func (f *Fleet) Traffic() Traffic {
	return Traffic{Requests: f.requests.Load(), Responses: f.responses.Load(), Bytes: f.bytes.Load(), Last: f.last.Load()}
}

// Reconnected returns the number of requests sent, and whether every sidecar has sent its first ones.
func (f *Fleet) Reconnected() (requests int64, complete bool) {
	complete = f.opened.Load() == int64(len(f.sidecars))
	return f.requests.Load(), complete
}

// run connects a sidecar and responds to the server until ctx or the stream ends.
func (s *sidecar) run(ctx context.Context, address string, config *tls.Config, dialer *net.Dialer) error {
	conn, err := s.dial(address, config, dialer)
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := s.stream(ctx, conn)
	if err != nil {
		return err
	}
	requests := s.open()
	var r response
	for first := true; ; first = false {
		for _, req := range requests {
			if err := stream.SendMsg(req); err != nil {
				break // receiving returns the error
			}
			s.fleet.requests.Add(1)
		}
		if first {
			s.fleet.opened.Add(1)
		}
		s.expect.acknowledged()
		if err := stream.RecvMsg(&r); err != nil {
			return err
		}
		s.fleet.countResponse(&r)
		if requests, err = s.receive(&r); err != nil {
			return err
		}
	}
}

func (s *sidecar) dial(address string, config *tls.Config, dialer *net.Dialer) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}),
		grpc.WithInitialConnWindowSize(window), grpc.WithInitialWindowSize(window),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{}), grpc.MaxCallRecvMsgSize(maxResponse)))
}

func (s *sidecar) stream(ctx context.Context, conn *grpc.ClientConn) (grpc.ClientStream, error) {
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", s.token)
	return conn.NewStream(ctx, &discovery.AggregatedDiscoveryService_ServiceDesc.Streams[deltaStream()],
		discovery.AggregatedDiscoveryService_DeltaAggregatedResources_FullMethodName, grpc.WaitForReady(true))
}

// Join connects a sidecar that is not one of the connected ones, and returns the time until its first response.
func (f *Fleet) Join(ctx context.Context, m *mesh.Mesh, sidecar int, token, address string, config *tls.Config) (time.Duration, error) {
	begun := time.Now()
	s := newSidecar(f, m.NodeID(sidecar), token)
	conn, err := s.dial(address, config, f.dialer(sidecar))
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	stream, err := s.stream(ctx, conn)
	if err != nil {
		return 0, err
	}
	for _, req := range s.open() {
		if err := stream.SendMsg(req); err != nil {
			break // receiving returns the error
		}
		f.requests.Add(1)
	}
	err = stream.RecvMsg(&response{})
	return time.Since(begun), err
}

func (f *Fleet) countResponse(r *response) {
	f.responses.Add(1)
	f.bytes.Add(int64(len(r.data)))
	f.last.Store(time.Now().UnixNano())
}

// deltaStream returns the index of the delta stream in the service description.
func deltaStream() int {
	for i, stream := range discovery.AggregatedDiscoveryService_ServiceDesc.Streams {
		if stream.StreamName == "DeltaAggregatedResources" {
			return i
		}
	}
	return 0
}
