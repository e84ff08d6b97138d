package cli

import (
	"context"
	"net"
	"sync"
)

// forwards are forwarded ports of pods. They stay open for later connections. One that was lost is opened again: client-go ends it when any
// of its connections fails.
type forwards struct {
	// open forwards the port of a pod and returns the local address.
	open func(pod string) (address string, err error)

	mu        sync.Mutex
	addresses map[string]string
}

func newForwards(open func(pod string) (address string, err error)) *forwards {
	return &forwards{open: open, addresses: map[string]string{}}
}

// dial connects to the port of a pod.
func (f *forwards) dial(ctx context.Context, pod string) (net.Conn, error) {
	var dialer net.Dialer
	address, known, err := f.address(pod, "")
	if err != nil {
		return nil, err
	}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err == nil || !known || ctx.Err() != nil {
		return conn, err
	}
	if address, _, err = f.address(pod, address); err != nil {
		return nil, err
	}
	return dialer.DialContext(ctx, "tcp", address)
}

// address returns the local address of a pod's port, other than one that was lost. known is true if it was open before.
func (f *forwards) address(pod, lost string) (address string, known bool, err error) {
	f.mu.Lock()
	address = f.addresses[pod]
	f.mu.Unlock()
	if address != "" && address != lost {
		return address, true, nil
	}
	// Other pods do not wait for this one.
	if address, err = f.open(pod); err != nil {
		return "", false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addresses[pod] = address
	return address, false, nil
}
