package fakexds

import (
	"context"
	"errors"
	"io"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// Requests is the receiving side of a stream without a connection. Receive returns the requests of a channel, nil for none, and io.EOF once it is closed. It
// fails after end was called, at most once, or when the context ends.
func Requests(
	ctx context.Context, requests <-chan *discovery.DeltaDiscoveryRequest,
) (receive func() (*discovery.DeltaDiscoveryRequest, error), end func(error)) {
	ended := make(chan struct{})
	receive = func() (*discovery.DeltaDiscoveryRequest, error) {
		select {
		case req, open := <-requests:
			if !open {
				return nil, io.EOF
			}
			return req, nil
		case <-ended:
			return nil, errors.New("the stream was ended")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return receive, func(error) { close(ended) }
}
