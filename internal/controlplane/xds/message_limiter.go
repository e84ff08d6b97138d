package xds

import (
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// smallMessageBytes is the size of messages that need no slot. gRPC buffers as much of each stream that is not read.
	smallMessageBytes = 64 << 10
	// maxPendingBytes is how much a client may send while the connection is pending: the first messages of its two streams fill their windows, because they
	// name all extensions of Envoy, and have headers.
	maxPendingBytes = 2*streamWindow + maxHeaderBytes
	// maxLargeMessages is how many connections may have larger messages at the same time.
	maxLargeMessages = 8
	// largeMessageTimeout is how long a connection may wait for a slot, and how long it may keep it.
	largeMessageTimeout = 20 * time.Second
)

var (
	errPendingBytes = errors.New("the client sends too much before its pod is known")
	errNoSlot       = errors.New("too many clients send large messages; try again")
)

// messageLimiter limits the memory for messages that clients have begun to send. gRPC makes room for a whole message as soon as its
// length is known, so the limiter reads the frames of each connection.
type messageLimiter struct {
	slots   chan struct{}
	timeout time.Duration
	// onClosed is called with the reason for each connection that is closed because of a limit.
	onClosed func(error)
}

func newMessageLimiter(slots int, timeout time.Duration, onClosed func(error)) *messageLimiter {
	return &messageLimiter{slots: make(chan struct{}, slots), timeout: timeout, onClosed: onClosed}
}

// messageConn is a connection of a messageLimiter. It has a slot from the moment when a message exceeds smallMessageBytes until
// all such messages have been handled.
type messageConn struct {
	net.Conn
	limiter *messageLimiter
	// tracker belongs to the goroutine that reads.
	tracker *messageTracker

	mu sync.Mutex
	// bound counts the streams whose pods are known. pendingBytes counts what was sent without any.
	bound, pendingBytes int
	// large counts the large messages that are unfinished or not handled yet.
	large  int
	slot   *time.Timer // closes the connection; nil without a slot
	closed bool
}

func (l *messageLimiter) newConn(conn net.Conn) *messageConn {
	return &messageConn{Conn: conn, limiter: l, tracker: newMessageTracker()}
}

// Read implements net.Conn. It delays a client that sends a large message until there is a slot.
func (c *messageConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if limit := c.track(p[:n]); limit != nil {
		c.limiter.onClosed(limit)
		_ = c.Close()
		return 0, limit
	}
	return n, err
}

func (c *messageConn) track(p []byte) error {
	before := c.tracker.large + c.tracker.completed
	if err := c.tracker.read(p); err != nil {
		return err
	}
	c.mu.Lock()
	c.large += c.tracker.large + c.tracker.completed - before
	if c.bound == 0 {
		c.pendingBytes += len(p)
	}
	tooMuch, needsSlot := c.pendingBytes > maxPendingBytes, c.large > 0 && c.slot == nil && !c.closed
	c.releaseIfUnused()
	c.mu.Unlock()
	switch {
	case tooMuch:
		return errPendingBytes
	case needsSlot:
		return c.waitForSlot()
	}
	return nil
}

func (c *messageConn) waitForSlot() error {
	timeout := time.NewTimer(c.limiter.timeout)
	defer timeout.Stop()
	select {
	case c.limiter.slots <- struct{}{}:
	case <-timeout.C:
		return errNoSlot
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slot = time.AfterFunc(c.limiter.timeout, func() {
		c.limiter.onClosed(errNoSlot)
		_ = c.Close()
	})
	c.releaseIfUnused() // the connection may have been closed meanwhile
	return nil
}

// releaseIfUnused releases the slot of a connection without large messages. The caller holds mu.
func (c *messageConn) releaseIfUnused() {
	if c.slot != nil && (c.large <= 0 || c.closed) {
		c.slot.Stop()
		c.slot = nil
		<-c.limiter.slots
	}
}

// handled records that a large message needs no memory any more.
func (c *messageConn) handled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.large = max(c.large-1, 0)
	c.releaseIfUnused()
}

// bind records that a stream of the connection has a known pod. The caller calls unbind after it.
func (c *messageConn) bind() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bound++
	c.pendingBytes = 0
}

func (c *messageConn) unbind() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bound--
}

// Close implements net.Conn.
func (c *messageConn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.releaseIfUnused()
	c.mu.Unlock()
	return c.Conn.Close()
}
